import { fulfillmentEventsTopic } from '@orders/contracts/fulfillments/events';
import { OrderRepublishFilter } from '@orders/contracts/operate/republish';
import type { HttpServer } from '@orders/platform/http/server';
import type { EventHandler } from '@orders/platform/messaging/store-or-bury';
import { addOperatorsDesk } from '@orders/platform/operate/desk';
import type { SentinelStore } from '@orders/platform/operate/sentinel-store';
import type { Database } from '@orders/platform/postgres/database';
import { createFulfillmentEventReader } from '../show/on-fulfillment-event.ts';
import { createOrderRepublish } from './republish-orders.ts';
import { stuckReasons } from './watch-orders.ts';

/**
 * Adds what operators need where something went wrong. `handle` is the station of
 * `fulfillment-events`.
 */
export function addOperatorRoutes(
  app: HttpServer,
  parts: { database: Database; handle: EventHandler; sentinel: SentinelStore },
): void {
  const { database, handle, sentinel } = parts;
  addOperatorsDesk(app, {
    database,
    station: { topic: fulfillmentEventsTopic, read: createFulfillmentEventReader(), handle },
    republish: { filter: OrderRepublishFilter, republish: createOrderRepublish(database) },
    stuck: { store: sentinel, reasons: stuckReasons },
  });
}
