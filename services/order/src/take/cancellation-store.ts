import type { Database } from '@orders/platform/postgres/database';
import { noteChanges } from '../change-log.ts';
import { mayBeCancelledSql } from './may-be-cancelled.ts';

export type CancellationRequest = {
  orderId: string;
  reason: string | null;
  topic: string;
  sequence: number;
  eventId: string;
  /** The event as JSON but for its last brace: the database adds `requestedAt`. */
  payloadHead: string;
  correlationId: string;
  traceparent: string | null;
  instance: string;
  /** Null leaves the event to whoever drains the outbox. */
  claimMs: number | null;
};

export function createCancellationStore(database: Database) {
  return {
    /**
     * Stores the request to cancel an order and the event that announces it. Resolves to the
     * event's payload. Resolves to undefined, and writes nothing, if there is no such order, if it
     * may not be cancelled any more, or if its cancellation was requested before.
     */
    async request(request: CancellationRequest): Promise<string | undefined> {
      const { orderId, reason, topic, sequence, eventId, payloadHead, correlationId, traceparent } =
        request;
      const [row] = await database.query<{ payload: string }>(requestStatement, [
        ...[orderId, reason, topic, sequence, eventId, payloadHead, correlationId, traceparent],
        ...[request.instance, request.claimMs ?? 0],
      ]);
      return row?.payload;
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
      SET cancel_requested_at = date_trunc('milliseconds', now()), cancel_reason = $2, updated_at = greatest(now(), created_at)
      WHERE order_id = $1 AND cancel_requested_at IS NULL AND ${mayBeCancelledSql}
      RETURNING order_id, cancel_requested_at),
    noted AS (${noteChanges('changed')})
    INSERT INTO outbox (key, sequence, topic, event_id, event_type, payload, correlation_id, traceparent, claimed_by, claim_until)
    SELECT order_id::text, $4::int, $3, $5::uuid, 'OrderCancellationRequested',
           $6 || ',"requestedAt":"' || to_char(cancel_requested_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"}',
           $7, $8, $9, CASE WHEN $10::int > 0 THEN now() + $10::int * interval '1 ms' ELSE '-infinity' END
    FROM changed RETURNING payload`,
};
