import type { IncomingEvent } from '@orders/platform/messaging/broker';
import {
  type DeadLetter,
  deadLetterParts,
  deadLetterValues,
} from '@orders/platform/messaging/store-or-bury';
import type { Database } from '@orders/platform/postgres/database';
import { noteChanges } from '../change-log.ts';
import type { Projected } from '../order.ts';

/** With the event it was read from: its topic, partition and offset are kept for the audit. */
export type ProjectedFrom = Projected & { event: IncomingEvent };

/** The statement of station 9. */
export function createProjectionStore(database: Database) {
  return {
    /**
     * Takes over the newest fulfillment of each order (at most one event an order, sorted by order
     * id) and buries what was unreadable in the same batch. Resolves to the ids of the orders that
     * changed; older events and unknown orders change nothing.
     */
    async project(
      topic: string,
      events: ProjectedFrom[],
      letters: DeadLetter[],
    ): Promise<Set<string>> {
      const rows = await database.query<{ order_id: string }>(projectStatement, [
        events.map((e) => e.orderId),
        events.map((e) => e.sequence),
        events.map((e) => e.status),
        events.map(toFulfillmentJson).join('\n'),
        ...deadLetterValues(topic, letters),
      ]);
      return new Set(rows.map((row) => row.order_id));
    },
  };
}

export type ProjectionStore = ReturnType<typeof createProjectionStore>;

function toFulfillmentJson({
  fulfillment,
  event: { topic, partition, offset },
}: ProjectedFrom): string {
  return JSON.stringify({
    ...fulfillment,
    source: { topic, partition, offset: offset.toString() },
  });
}

// `updated_at` is when a statement began, and one that began earlier may write later.
// I12: only a newer sequence replaces what an order shows.
const projectStatement = {
  name: 'order-project',
  text: `
    WITH events AS (
      SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], string_to_array($4, E'\\n'))
        AS e (order_id, sequence, status, fulfillment)),
    ${deadLetterParts(5)},
    changed AS (
      UPDATE orders o
      SET status = e.status,
          sequence = e.sequence,
          publish_failed = false,
          fulfillment = e.fulfillment::json,
          attention = CASE WHEN e.status IN ('Retrying', 'Failed', 'Cancelled') THEN e.status END,
          updated_at = greatest(now(), o.updated_at)
      FROM events e WHERE o.order_id = e.order_id AND o.sequence < e.sequence
      RETURNING o.order_id),
    noted AS (${noteChanges('changed')})
    SELECT order_id FROM changed`,
};
