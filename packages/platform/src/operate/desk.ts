import type { HttpServer } from '../http/server.ts';
import type { Database } from '../postgres/database.ts';
import type { EventStation } from './dead-letter-replay.ts';
import { addDeadLetterRoutes } from './dead-letter-routes.ts';
import { addOperatorJournalRoutes, createOperatorJournal } from './operator-journal.ts';
import { addRepublishRoutes } from './republish-routes.ts';
import type { SentinelStore } from './sentinel-store.ts';
import { addStuckRoutes } from './stuck-routes.ts';

/**
 * Adds what operators need of either service where something went wrong: the dead letters of the
 * topic that it consumes, republishing its own events, what is stuck, and what operators did.
 */
export function addOperatorsDesk<Filter>(
  app: HttpServer,
  parts: {
    database: Database;
    station: EventStation;
    republish: Parameters<typeof addRepublishRoutes<Filter>>[1];
    stuck: { store: SentinelStore; reasons: readonly string[] };
  },
): void {
  const { database, station, republish, stuck } = parts;
  addDeadLetterRoutes(app, { database, station });
  addRepublishRoutes(app, republish);
  addStuckRoutes(app, stuck);
  addOperatorJournalRoutes(app, createOperatorJournal(database));
}
