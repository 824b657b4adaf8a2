import type { FailedAttempt, FulfillmentEventType } from '@orders/contracts/fulfillments/events';
import type { FulfillmentRepublishFilter } from '@orders/contracts/operate/republish';
import { createRepublish, type OrderWithEvents } from '@orders/platform/operate/republish';
import {
  createRepublishStore,
  type RepublishTable,
} from '@orders/platform/operate/republish-store';
import type { Database } from '@orders/platform/postgres/database';
import type { Static } from 'typebox';
import {
  type FulfillmentFacts,
  momentsOf,
  startedEvent,
  toEvent,
  toOutboxRow,
} from '../fulfillment-event.ts';

const table: RepublishTable = {
  name: 'fulfillments',
  stateColumn: 'state',
  indexedStates: ['Retrying', 'Failed', 'Cancelled'],
  // The list makes the partial index usable: a parameter alone proves nothing to the planner.
  indexCondition: "state = $4 AND state IN ('Retrying', 'Failed', 'Cancelled')",
};

/**
 * Republishing of `fulfillment-events`: of each order the one event of its present state,
 * which is complete.
 */
export function createFulfillmentRepublish(database: Database) {
  const readOrders = async (orderIds: string[]): Promise<OrderWithEvents[]> =>
    (await database.query<FulfillmentRow>(readStatement, [orderIds])).map(withEvents);
  const store = createRepublishStore(database, table);
  return createRepublish<Static<typeof FulfillmentRepublishFilter>>({
    store,
    stateOf: ({ state }) => state,
    readOrders,
  });
}

type State = Static<typeof FulfillmentRepublishFilter>['state'];
type FulfillmentRow = {
  orderId: string;
  state: State;
  sequence: number;
  attempts: number;
  publishedAt: Date | null;
  startedAt: Date;
  updatedAt: Date;
  dueInMs: number | null;
  trackingNumber: string | null;
  carrier: string | null;
  shippedAt: Date | null;
  error: string | null;
  failedAttempts: string;
  correlationId: string | null;
};

const eventTypes: Record<State, FulfillmentEventType> = {
  Processing: 'FulfillmentStarted',
  Retrying: 'FulfillmentRetrying',
  Shipped: 'OrderFulfilled',
  Failed: 'OrderFailed',
  Cancelled: 'OrderCancelled',
};

function withEvents(row: FulfillmentRow): OrderWithEvents {
  const { orderId, state, sequence, correlationId } = row;
  const eventType = eventTypes[state];
  const event =
    sequence === 1
      ? startedEvent(orderId, correlationId, row.startedAt, row.publishedAt)
      : toEvent(
          { orderId, correlationId, ...momentsOf(row) },
          toFacts(row),
          eventType,
          row.updatedAt,
        );
  const trace = { correlationId, traceparent: null };
  return { orderId, state, events: [toOutboxRow(event, trace)] };
}

function toFacts({
  state,
  sequence,
  attempts,
  dueInMs,
  error,
  ...row
}: FulfillmentRow): FulfillmentFacts {
  const { trackingNumber, carrier, shippedAt } = row;
  const failedAttempts = JSON.parse(row.failedAttempts) as FailedAttempt[];
  const shipment =
    trackingNumber === null || shippedAt === null
      ? null
      : { trackingNumber, carrier, shippedAt: shippedAt.toISOString() };
  return { state, sequence, attempts, dueMs: dueInMs, shipment, error, failedAttempts };
}

const readStatement = {
  name: 'republish-read-fulfillments',
  text: `
    SELECT order_id AS "orderId", state, sequence, attempts, published_at AS "publishedAt",
      filed_at AS "startedAt", updated_at AS "updatedAt",
      (extract(epoch FROM due_at - updated_at) * 1000)::float8 AS "dueInMs",
      tracking_number AS "trackingNumber", carrier, shipped_at AS "shippedAt", error,
      failed_attempts AS "failedAttempts", correlation_id AS "correlationId"
    FROM fulfillments
    WHERE order_id = ANY ($1::uuid[])
    ORDER BY order_id`,
};
