import type { Database } from '@orders/platform/database';
import { type DeadLetter, deadLetterParts, deadLetterValues } from '@orders/platform/dead-letters';
import type { OutboxRow } from '@orders/platform/outbox-store';
import type { Decision, Held } from './fulfillment.ts';

/** A fulfillment about to be filed, with its FulfillmentStarted event. */
export type Filing = {
  orderId: string;
  partition: number;
  offset: string;
  payload: string;
  correlationId: string | null;
  traceparent: string | null;
  createdAt: string;
  /** Handed to the dispatcher of this instance: the insert is the record of the first attempt. */
  isHandedOver: boolean;
  event: OutboxRow;
};

export type Reporting = { decision: Decision; event: OutboxRow | null };

/** Every statement of the Fulfillment Service on its own tables. Each is one autocommit statement per batch. */
export function createFulfillmentStore(database: Database, instance: string) {
  return {
    /**
     * Files what is not filed yet, each with its event (claimed for `eventClaimMs`, or free when null), and buries what was
     * unreadable. Resolves to the ids that were new: redelivery files nothing twice.
     */
    async file(
      topic: string,
      filings: Filing[],
      letters: DeadLetter[],
      times: { leaseMs: number; eventClaimMs: number | null },
    ): Promise<Set<string>> {
      const column = <T>(pick: (filing: Filing) => T): T[] => filings.map(pick);
      const rows = await database.query<{ order_id: string }>(fileStatement, [
        column((f) => f.orderId),
        column((f) => f.partition),
        column((f) => f.offset),
        column((f) => f.payload).join('\n'),
        column((f) => f.correlationId),
        column((f) => f.traceparent),
        column((f) => f.createdAt),
        column((f) => f.isHandedOver),
        column((f) => f.event.eventId),
        column((f) => f.event.payload).join('\n'),
        filings[0]?.event.topic ?? '',
        instance,
        times.leaseMs,
        times.eventClaimMs ?? 0,
        ...deadLetterValues(topic, letters),
      ]);
      return new Set(rows.map((row) => row.order_id));
    },
    /**
     * Claims up to `limit` fulfillments that are due, oldest first, for `leaseMs`. Where no attempt is open the claim records the
     * next one; where one is open (unknown outcome, or its process died) the row comes with `mustLookUp`.
     */
    async claimDue(limit: number, times: { leaseMs: number; settleMs: number }): Promise<Held[]> {
      const rows = await database.query<ClaimedRow>(claimStatement, [limit, instance, times.leaseMs, times.settleMs]);
      return rows.map((row) => ({
        ...row,
        startedAt: row.startedAt.toISOString(),
        failedAttempts: JSON.parse(row.failedAttempts),
      }));
    },
    /** Prolongs the leases of rows still in hand; resolves to the ids whose claim still holds. */
    async renew(held: { orderId: string; claim: number }[], leaseMs: number): Promise<Set<string>> {
      // In the order in which reports lock rows, or the two would wait for each other.
      const sorted = held.toSorted((a, b) => (a.orderId < b.orderId ? -1 : 1));
      const rows = await database.query<{ order_id: string }>(renewStatement, [
        sorted.map((h) => h.orderId),
        sorted.map((h) => h.claim),
        leaseMs,
      ]);
      return new Set(rows.map((row) => row.order_id));
    },
    /** Writes decisions with their events, sorted by order id. Resolves to the ids whose claim still held; others change nothing. */
    async report(batch: Reporting[], eventClaimMs: number | null): Promise<Set<string>> {
      const column = <T>(pick: (decision: Decision) => T): T[] => batch.map(({ decision }) => pick(decision));
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
      ]);
      return new Set(rows.map((row) => row.order_id));
    },
    /** Ends the leases that an earlier life of this instance still holds; what was in mid-call is looked up first. */
    async takeBack(): Promise<void> {
      await database.query(takeBackStatement, [instance]);
    },
    /** Open fulfillments by state, for metrics. */
    async openByState(): Promise<{ state: string; count: number }[]> {
      return await database.query(openByStateStatement, []);
    },
  };
}

type ClaimedRow = Omit<Held, 'failedAttempts' | 'startedAt'> & { failedAttempts: string; startedAt: Date };

export type FulfillmentStore = ReturnType<typeof createFulfillmentStore>;

const fileStatement = {
  name: 'fulfillment-file',
  text: `
    WITH input AS (
      SELECT * FROM unnest($1::uuid[], $2::int[], $3::bigint[], string_to_array($4, E'\\n'), $5::text[], $6::text[],
        $7::timestamptz[], $8::bool[], $9::uuid[], string_to_array($10, E'\\n'))
        AS i (order_id, source_partition, source_offset, payload, correlation_id, traceparent, created_at,
              handed_over, event_id, event_payload)),
    ${deadLetterParts(15)},
    filed AS (
      INSERT INTO fulfillments (order_id, source_topic, source_partition, source_offset, payload, correlation_id, traceparent,
        created_at, state, sequence, claim, claimed_by, attempts, attempt_open, due_at)
      SELECT order_id, $15, source_partition, source_offset, payload, correlation_id, traceparent, created_at, 'Processing', 1,
        handed_over::int, CASE WHEN handed_over THEN $12::text END, handed_over::int, handed_over,
        CASE WHEN handed_over THEN now() + $13::int * interval '1 ms' ELSE now() END
      FROM input ON CONFLICT DO NOTHING RETURNING order_id),
    told AS (
      INSERT INTO outbox (key, sequence, topic, event_id, event_type, payload, correlation_id, traceparent, claimed_by, claim_until)
      SELECT order_id::text, 1, $11, event_id, 'FulfillmentStarted', event_payload, correlation_id, traceparent, $12::text,
        CASE WHEN $14::int > 0 THEN now() + $14::int * interval '1 ms' ELSE '-infinity' END
      FROM input JOIN filed USING (order_id))
    SELECT order_id FROM filed`,
};

const claimStatement = {
  name: 'fulfillment-claim',
  text: `
    WITH due AS (
      SELECT order_id, attempt_open AS was_open FROM fulfillments
      WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    UPDATE fulfillments f
    SET claim = f.claim + 1, claimed_by = $2, due_at = now() + $3::int * interval '1 ms', attempt_open = true,
        attempts = f.attempts + CASE WHEN due.was_open THEN 0 ELSE 1 END,
        abandoned = f.abandoned + CASE WHEN due.was_open AND f.settle_at IS NULL THEN 1 ELSE 0 END,
        settle_at = CASE WHEN due.was_open THEN coalesce(f.settle_at, now() + $4::int * interval '1 ms') END
    FROM due WHERE f.order_id = due.order_id
    RETURNING f.order_id AS "orderId", f.claim, f.state, f.sequence, f.attempts, f.abandoned, f.retries,
      due.was_open AS "mustLookUp", coalesce(f.settle_at <= now(), false) AS "isSettled",
      (extract(epoch FROM now() - f.filed_at) * 1000)::float8 AS "ageMs", f.filed_at AS "startedAt",
      f.failed_attempts AS "failedAttempts", f.payload, f.correlation_id AS "correlationId", f.traceparent`,
};

const renewStatement = {
  name: 'fulfillment-renew',
  text: `
    UPDATE fulfillments f SET due_at = now() + $3::int * interval '1 ms'
    FROM unnest($1::uuid[], $2::int[]) AS h (order_id, claim)
    WHERE f.order_id = h.order_id AND f.claim = h.claim AND f.claimed_by IS NOT NULL AND f.due_at IS NOT NULL
    RETURNING f.order_id`,
};

const reportStatement = {
  name: 'fulfillment-report',
  text: `
    WITH input AS (
      SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::int[], $5::int[], $6::int[], $7::bool[], $8::int[], $9::int[],
        $10::text[], $11::text[], $12::timestamptz[], $13::text[], string_to_array($14, E'\\n'), $15::uuid[], $16::text[],
        string_to_array($17, E'\\n'), $18::text[], $19::text[])
        AS i (order_id, claim, state, sequence, attempts, retries, attempt_open, settle_ms, due_ms, tracking_number, carrier,
              shipped_at, error, failed_attempts, event_id, event_type, event_payload, correlation_id, traceparent)),
    reported AS (
      UPDATE fulfillments f
      SET state = i.state, sequence = i.sequence, attempts = i.attempts, retries = i.retries, attempt_open = i.attempt_open,
          settle_at = CASE WHEN i.settle_ms < 0 THEN f.settle_at ELSE now() + i.settle_ms * interval '1 ms' END,
          due_at = now() + i.due_ms * interval '1 ms', claimed_by = NULL, tracking_number = i.tracking_number,
          carrier = i.carrier, shipped_at = i.shipped_at, error = i.error, failed_attempts = i.failed_attempts,
          updated_at = now()
      FROM input i WHERE f.order_id = i.order_id AND f.claim = i.claim
      RETURNING i.*),
    told AS (
      INSERT INTO outbox (key, sequence, topic, event_id, event_type, payload, correlation_id, traceparent, claimed_by, claim_until)
      SELECT order_id::text, sequence, $20, event_id, event_type, event_payload, correlation_id, traceparent, $21::text,
        CASE WHEN $22::int > 0 THEN now() + $22::int * interval '1 ms' ELSE '-infinity' END
      FROM reported WHERE event_type IS NOT NULL)
    SELECT order_id FROM reported`,
};

const takeBackStatement = {
  name: 'fulfillment-take-back',
  text: 'UPDATE fulfillments SET due_at = now() WHERE claimed_by = $1 AND due_at > now()',
};

const openByStateStatement = {
  name: 'fulfillment-open-by-state',
  text: 'SELECT state, count(*)::int AS count FROM fulfillments WHERE due_at IS NOT NULL GROUP BY state',
};
