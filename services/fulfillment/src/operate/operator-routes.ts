import { FulfillmentRepublishFilter } from '@orders/contracts/operate/republish';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import type { HttpServer } from '@orders/platform/http/server';
import type { EventHandler } from '@orders/platform/messaging/store-or-bury';
import { addOperatorsDesk } from '@orders/platform/operate/desk';
import type { SentinelStore } from '@orders/platform/operate/sentinel-store';
import type { Database } from '@orders/platform/postgres/database';
import { createOrderEventReader } from '../receive/on-order-event.ts';
import { createFulfillmentRepublish } from './republish-fulfillments.ts';
import { stuckReasons } from './watch-fulfillments.ts';

/**
 * Adds what operators need where something went wrong. `handle` is the station of `order-events`.
 */
export function addOperatorRoutes(
  app: HttpServer,
  parts: { database: Database; handle: EventHandler; sentinel: SentinelStore },
): void {
  const { database, handle, sentinel } = parts;
  addOperatorsDesk(app, {
    database,
    station: { topic: orderEventsTopic, read: createOrderEventReader(), handle },
    republish: {
      filter: FulfillmentRepublishFilter,
      republish: createFulfillmentRepublish(database),
    },
    stuck: { store: sentinel, reasons: stuckReasons },
  });
}
