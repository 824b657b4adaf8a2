import { fulfillmentEventsTopic } from '@orders/contracts/fulfillment-events';
import { OrderRepublishFilter } from '@orders/contracts/republish-api';
import type { Database } from '@orders/platform/database';
import { addDeadLetterRoutes } from '@orders/platform/dead-letter-routes';
import type { EventHandler } from '@orders/platform/dead-letters';
import type { HttpServer } from '@orders/platform/http-server';
import { addReplayRoutes, createReplays } from '@orders/platform/replays';
import { addRepublishRoutes } from '@orders/platform/republish-routes';
import type { SentinelStore } from '@orders/platform/sentinel-store';
import { addStuckRoutes } from '@orders/platform/stuck-routes';
import { createFulfillmentEventReader } from './on-fulfillment-event.ts';
import { createOrderRepublish } from './republish-orders.ts';
import { stuckReasons } from './watch-orders.ts';

/** Adds what operators need where something went wrong. `handle` is the station of `fulfillment-events`. */
export function addOperatorRoutes(
  app: HttpServer,
  parts: { database: Database; handle: EventHandler; sentinel: SentinelStore },
): void {
  const { database, handle, sentinel } = parts;
  addDeadLetterRoutes(app, {
    database,
    station: { topic: fulfillmentEventsTopic, read: createFulfillmentEventReader(), handle },
  });
  addRepublishRoutes(app, { filter: OrderRepublishFilter, republish: createOrderRepublish(database) });
  addStuckRoutes(app, { store: sentinel, reasons: stuckReasons });
  addReplayRoutes(app, createReplays(database));
}
