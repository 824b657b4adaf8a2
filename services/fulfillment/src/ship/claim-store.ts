import { insertEvents } from '@orders/platform/messaging/outbox-insert';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import type { Database } from '@orders/platform/postgres/database';
import type { Claimed, Decision } from '../fulfillment.ts';
import { momentsOf } from '../fulfillment-event.ts';
import { createFilingStore } from '../receive/filing-store.ts';

export type Reporting = { decision: Decision; event: OutboxRow | null };

/**
 * Every statement of the Fulfillment Service on its own tables. Each is one autocommit statement
 * per batch.
 */
export function createFulfillmentStore(database: Database, instance: string) {
  return {
    ...createFilingStore(database, instance),
    /**
     * Claims up to `limit` fulfillments that are due, oldest first, for `leaseMs`. Where no attempt
     * is open the claim records the next one, unless its cancellation is requested; where one is
     * open (unknown outcome, or its process died) the row comes with `mustLookUp`.
     */
    async claimDue(
      limit: number,
      times: { leaseMs: number; settleMs: number },
    ): Promise<Claimed[]> {
      const rows = await database.query<ClaimedRow>(claimStatement, [
        limit,
        instance,
        times.leaseMs,
        times.settleMs,
      ]);
      return rows.map((row) => ({
        ...row,
        ...momentsOf(row),
        failedAttempts: JSON.parse(row.failedAttempts),
      }));
    },
    /** Prolongs the leases of rows still in hand; resolves to the ids whose claim still holds. */
    async renew(
      claimed: { orderId: string; claim: number }[],
      leaseMs: number,
    ): Promise<Set<string>> {
      // In the order in which reports lock rows, or the two would wait for each other.
      const sorted = claimed.toSorted((a, b) => (a.orderId < b.orderId ? -1 : 1));
      const rows = await database.query<{ order_id: string }>(renewStatement, [
        sorted.map((h) => h.orderId),
        sorted.map((h) => h.claim),
        leaseMs,
      ]);
      return new Set(rows.map((row) => row.order_id));
    },
    /**
     * Writes decisions with their events, sorted by order id. Resolves to the ids whose claim still
     * claimed; others change nothing.
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
      ]);
      return new Set(rows.map((row) => row.order_id));
    },
    /**
     * Ends the leases that an earlier life of this instance still holds; what was in mid-call is
     * looked up first.
     */
    async takeBack(): Promise<void> {
      await database.query(takeBackStatement, [instance]);
    },
    /** Open fulfillments by state, for metrics. */
    async openByState(): Promise<{ state: string; count: number }[]> {
      return await database.query(openByStateStatement, []);
    },
  };
}

type ClaimedRow = Omit<Claimed, 'failedAttempts' | 'publishedAt' | 'startedAt'> & {
  failedAttempts: string;
  publishedAt: Date | null;
  startedAt: Date;
};

export type FulfillmentStore = ReturnType<typeof createFulfillmentStore>;

// The row tells whether its cancellation was requested, and is read anew under its lock. The table
// is asked as well: an order and its request that two instances filed at the same moment (a
// partition that changes hands) did not see each other.
// I4: the claim records the attempt before the call leaves. I7: an open attempt is looked up.
const claimStatement = {
  name: 'fulfillment-claim',
  text: `
    WITH due AS (
      SELECT order_id, attempt_open AS was_open,
        cancel_requested OR coalesce((SELECT true FROM cancellations c WHERE c.order_id = d.order_id), false) AS is_unwanted
      FROM fulfillments d WHERE due_at <= now() ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
    UPDATE fulfillments f
    SET claim = f.claim + 1, claimed_by = $2, due_at = now() + $3::int * interval '1 ms',
        attempt_open = due.was_open OR NOT due.is_unwanted, may_resend = f.may_resend AND (due.was_open OR due.is_unwanted),
        attempts = f.attempts + CASE WHEN due.was_open OR due.is_unwanted THEN 0 ELSE 1 END,
        abandoned = f.abandoned + CASE WHEN due.was_open AND f.settle_at IS NULL THEN 1 ELSE 0 END,
        settle_at = CASE WHEN due.was_open THEN coalesce(f.settle_at, now() + $4::int * interval '1 ms') END
    FROM due WHERE f.order_id = due.order_id
    RETURNING f.order_id AS "orderId", f.claim, f.state, f.sequence, f.attempts, f.abandoned,
      f.attempts_before AS "attemptsBefore", f.retries, due.was_open AS "mustLookUp",
      coalesce(f.settle_at <= now(), false) AS "isSettled", f.may_resend AS "mayResend",
      due.is_unwanted AS "isCancelRequested",
      (extract(epoch FROM now() - coalesce(f.retried_at, f.filed_at)) * 1000)::float8 AS "ageMs", f.filed_at AS "startedAt",
      f.published_at AS "publishedAt",
      f.failed_attempts AS "failedAttempts", f.payload, f.correlation_id AS "correlationId", f.traceparent`,
};

// I6: a lease is prolonged only under the claim that was taken.
const renewStatement = {
  name: 'fulfillment-renew',
  text: `
    UPDATE fulfillments f SET due_at = now() + $3::int * interval '1 ms'
    FROM unnest($1::uuid[], $2::int[]) AS h (order_id, claim)
    WHERE f.order_id = h.order_id AND f.claim = h.claim AND f.claimed_by IS NOT NULL AND f.due_at IS NOT NULL
    RETURNING f.order_id`,
};

// Whoever wants it cancelled does not wait for the backoff: with no attempt open the next claim
// ends it.
// I2: the outcome and its event are one statement. I6: only under the claim that was taken.
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
          due_at = CASE WHEN f.cancel_requested AND NOT i.attempt_open AND i.due_ms > 0 THEN now()
                        ELSE now() + i.due_ms * interval '1 ms' END,
          claimed_by = NULL, tracking_number = i.tracking_number,
          carrier = i.carrier, shipped_at = i.shipped_at, error = i.error, failed_attempts = i.failed_attempts,
          updated_at = now()
      FROM input i WHERE f.order_id = i.order_id AND f.claim = i.claim
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

const takeBackStatement = {
  name: 'fulfillment-take-back',
  text: 'UPDATE fulfillments SET due_at = now() WHERE claimed_by = $1 AND due_at > now()',
};

const openByStateStatement = {
  name: 'fulfillment-open-by-state',
  text: 'SELECT state, count(*)::int AS count FROM fulfillments WHERE due_at IS NOT NULL GROUP BY state',
};
