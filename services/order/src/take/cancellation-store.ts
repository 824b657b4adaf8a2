import { insertEvents } from '@orders/platform/messaging/outbox-insert';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import type { Database } from '@orders/platform/postgres/database';
import { noteChanges } from '../change-log.ts';
import { mayBeCancelledSql } from './may-be-cancelled.ts';

export type CancellationRequest = {
  orderId: string;
  requestedAt: Date;
  reason: string | null;
  /** OrderCancellationRequested, which announces the request. */
  event: OutboxRow;
  instance: string;
  /** Null leaves the event to whoever drains the outbox. */
  claimMs: number | null;
};

export function createCancellationStore(database: Database) {
  return {
    /**
     * Stores the request to cancel an order and its event. Resolves to false, and writes nothing,
     * if there is no such order, if it may not be cancelled any more, or if its cancellation was
     * requested before. Repeating it changes nothing.
     */
    async request(request: CancellationRequest): Promise<boolean> {
      const { orderId, requestedAt, reason, event } = request;
      const rows = await database.query(requestStatement, [
        ...[orderId, requestedAt, reason, event.topic, event.sequence, event.eventId],
        ...[event.eventType, event.payload, event.correlationId, event.traceparent],
        ...[request.instance, request.claimMs ?? 0],
      ]);
      return rows.length > 0;
    },
  };
}

export type CancellationStore = ReturnType<typeof createCancellationStore>;

// A row that is being projected is waited for and looked at again: what became final meanwhile is
// left alone.
// I2: the request and its event are one statement.
const requestStatement = {
  name: 'order-request-cancellation',
  text: `
    WITH changed AS (
      UPDATE orders
      SET cancel_requested_at = $2,
          cancel_reason = $3,
          updated_at = greatest(now(), updated_at)
      WHERE order_id = $1 AND cancel_requested_at IS NULL AND ${mayBeCancelledSql}
      RETURNING order_id),
    noted AS (${noteChanges('changed')})
    ${insertEvents(
      `SELECT order_id::text AS key, $5::int AS sequence, $4 AS topic, $6::uuid AS event_id,
              $7 AS event_type, $8 AS payload, $9 AS correlation_id, $10 AS traceparent
       FROM changed`,
      { by: '$11', ms: '$12' },
    )}
    RETURNING 1`,
};
