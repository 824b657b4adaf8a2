import { insertEvents } from '@orders/platform/messaging/outbox-insert';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import type { Database } from '@orders/platform/postgres/database';
import type { Decision } from '../fulfillment.ts';

export type Reporting = { decision: Decision; event: OutboxRow | null };

/** The statement of reporting: one autocommit statement for a whole batch. */
export function createReportStore(database: Database, instance: string) {
  return {
    /**
     * Writes decisions with their events, sorted by order id. Resolves to the ids whose claim is
     * still valid; others change nothing.
     */
    async report(batch: Reporting[], eventClaimMs: number | null): Promise<Set<string>> {
      const column = <T>(pick: (decision: Decision) => T): T[] =>
        batch.map(({ decision }) => pick(decision));
      const events = batch.map(({ event }) => event);
      const rows = await database.query<{ order_id: string }>(reportStatement, [
        column((d) => d.orderId),
        column((d) => d.claim),
        column((d) => d.state),
        column((d) => d.sequence),
        column((d) => d.attempts),
        column((d) => d.retries),
        column((d) => d.isAttemptOpen),
        column((d) => (d.settleMs === undefined ? -1 : d.settleMs)),
        column((d) => d.dueMs),
        column((d) => d.shipment?.trackingNumber ?? null),
        column((d) => d.shipment?.carrier ?? null),
        column((d) => d.shipment?.shippedAt ?? null),
        column((d) => d.error),
        column((d) => JSON.stringify(d.failedAttempts)).join('\n'),
        events.map((event) => event?.eventId ?? null),
        events.map((event) => event?.eventType ?? null),
        events.map((event) => event?.payload ?? '').join('\n'),
        events.map((event) => event?.correlationId ?? null),
        events.map((event) => event?.traceparent ?? null),
        events.find((event) => event !== null)?.topic ?? '',
        instance,
        eventClaimMs ?? 0,
        column((d) => d.refusal),
        column((d) => d.isHeld),
        column((d) => d.isWaitingForProvider),
      ]);
      return new Set(rows.map((row) => row.order_id));
    },
  };
}

export type ReportStore = ReturnType<typeof createReportStore>;

// A cancellation does not wait for the backoff: with no attempt open the next claim ends the order.
// I2: the outcome and its event are one statement. I6: only under the claim that was taken.
const reportStatement = {
  name: 'fulfillment-report',
  text: `
    WITH input AS (
      SELECT *
      FROM unnest(
        $1::uuid[], $2::int[], $3::text[], $4::int[], $5::int[], $6::int[], $7::bool[], $8::int[],
        $9::int[], $10::text[], $11::text[], $12::timestamptz[], $13::text[],
        string_to_array($14, E'\\n'), $15::uuid[], $16::text[], string_to_array($17, E'\\n'),
        $18::text[], $19::text[], $23::text[], $24::bool[], $25::bool[])
        AS i (order_id, claim, state, sequence, attempts, retries, attempt_open, settle_ms,
              due_ms, tracking_number, carrier, shipped_at, error,
              failed_attempts, event_id, event_type, event_payload,
              correlation_id, traceparent, refusal, held, waits_for_provider)),
    reported AS (
      UPDATE fulfillments f
      SET state = i.state,
          sequence = i.sequence,
          attempts = i.attempts,
          retries = i.retries,
          attempt_open = i.attempt_open,
          was_unknown = f.was_unknown OR (i.attempt_open AND i.settle_ms >= 0),
          refusal = i.refusal,
          held = i.held,
          waits_for_provider = i.waits_for_provider,
          settle_at = CASE
            WHEN i.settle_ms < 0 THEN f.settle_at
            ELSE now() + i.settle_ms * interval '1 ms' END,
          due_at = CASE
            WHEN f.cancel_requested AND NOT i.attempt_open AND i.due_ms > 0 THEN now()
            ELSE now() + i.due_ms * interval '1 ms' END,
          claimed_by = NULL,
          tracking_number = i.tracking_number,
          carrier = i.carrier,
          shipped_at = i.shipped_at,
          error = i.error,
          failed_attempts = i.failed_attempts,
          updated_at = now()
      FROM input i
      WHERE f.order_id = i.order_id AND f.claim = i.claim
      RETURNING i.*),
    published AS (
      ${insertEvents(
        `SELECT order_id::text AS key, sequence, $20 AS topic, event_id, event_type,
                event_payload AS payload, correlation_id, traceparent
         FROM reported WHERE event_type IS NOT NULL`,
        { by: '$21', ms: '$22' },
      )})
    SELECT order_id FROM reported`,
};
