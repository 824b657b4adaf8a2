import { insertEvents } from '@orders/platform/messaging/outbox-insert';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import { insertAction } from '@orders/platform/operate/operator-journal';
import type { Database } from '@orders/platform/postgres/database';
import type { RetryCandidate } from './retry-plan.ts';

/** What a verdict makes of a fulfillment. */
export type VerdictWriting = {
  candidate: RetryCandidate;
  state: 'Shipped' | 'Retrying' | 'Failed';
  isGivenUp: boolean;
  shipment: { trackingNumber: string; carrier: string | null; shippedAt: string } | null;
  error: string | null;
  event: OutboxRow;
};

/** The statement of an operator's verdict. */
export function createVerdictStore(database: Database) {
  return {
    /**
     * Writes the verdict, its event and the record of it in one statement. Resolves to whether it
     * was written: false means that the fulfillment has changed since it was read, or is in hand.
     */
    async write(
      writing: VerdictWriting,
      record: { operator: string; reason: string; request: object },
    ): Promise<boolean> {
      const { candidate, state, isGivenUp, shipment, error, event } = writing;
      const rows = await database.query(verdictStatement, [
        candidate.orderId,
        candidate.claim,
        candidate.sequence,
        state,
        isGivenUp,
        shipment?.trackingNumber ?? null,
        shipment?.carrier ?? null,
        shipment?.shippedAt ?? null,
        error,
        event.topic,
        event.eventId,
        event.eventType,
        event.payload,
        record.operator,
        record.reason,
        JSON.stringify(record.request),
      ]);
      return rows.length > 0;
    },
  };
}

export type VerdictStore = ReturnType<typeof createVerdictStore>;

// I2: the verdict and its event are one statement. I6: only under the claim that was read.
const verdictStatement = {
  name: 'fulfillment-verdict',
  text: `
    WITH decided AS (
      UPDATE fulfillments f
      SET state = $4::text,
          sequence = f.sequence + 1,
          claim = f.claim + 1,
          claimed_by = NULL,
          held = false,
          given_up = $5,
          refusal = NULL,
          was_unknown = false,
          attempt_open = false,
          settle_at = NULL,
          waits_for_provider = false,
          retries = 0,
          attempts_before = f.attempts - f.abandoned,
          retried_at = CASE WHEN $4::text = 'Retrying' THEN now() ELSE f.retried_at END,
          due_at = CASE WHEN $4::text = 'Retrying' THEN now() END,
          tracking_number = $6,
          carrier = $7,
          shipped_at = $8::timestamptz,
          error = $9,
          updated_at = now()
      WHERE f.order_id = $1::uuid
        AND f.claim = $2::int
        AND f.sequence = $3::int
        AND NOT coalesce(f.claimed_by IS NOT NULL AND f.due_at > now(), false)
      RETURNING f.order_id, f.sequence, f.correlation_id, f.traceparent),
    published AS (
      ${insertEvents(
        `SELECT order_id::text AS key, sequence, $10 AS topic, $11::uuid AS event_id,
                $12 AS event_type, $13 AS payload, correlation_id, traceparent
         FROM decided`,
      )}),
    recorded AS (
      ${insertAction({
        operator: '$14',
        action: "'verdict'",
        reason: '$15',
        request: '$16::json',
        result: "json_build_object('state', $4::text)",
        from: 'decided',
      })})
    SELECT order_id FROM decided`,
};
