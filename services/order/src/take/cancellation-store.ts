import type { Database } from '@orders/platform/postgres/database';
import { noteChanges } from '../change-log.ts';

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
     * Notes that an order is to be cancelled, with the event that tells of it; resolves to the
     * event's payload. Undefined, and nothing is written, where there is no such order, it is
     * final, or it was asked for before.
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
      WHERE order_id = $1 AND cancel_requested_at IS NULL AND status NOT IN ('Shipped', 'Failed', 'Cancelled')
      RETURNING order_id, cancel_requested_at),
    noted AS (${noteChanges('changed')})
    INSERT INTO outbox (key, sequence, topic, event_id, event_type, payload, correlation_id, traceparent, claimed_by, claim_until)
    SELECT order_id::text, $4::int, $3, $5::uuid, 'OrderCancellationRequested',
           $6 || ',"requestedAt":"' || to_char(cancel_requested_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') || '"}',
           $7, $8, $9, CASE WHEN $10::int > 0 THEN now() + $10::int * interval '1 ms' ELSE '-infinity' END
    FROM changed RETURNING payload`,
};
