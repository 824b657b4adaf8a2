import type { Database } from '@orders/platform/postgres/database';
import type { Claimed } from '../fulfillment.ts';
import { momentsOf } from '../fulfillment-event.ts';

/** The statements of claiming. Each is one autocommit statement for a whole batch. */
export function createClaimStore(database: Database, instance: string) {
  return {
    /**
     * Claims fulfillments that are due, oldest first, for `leaseMs`: up to `itemsMax`, and none
     * after those that reach `bytesMax` of payload together. Where no attempt is open the claim
     * records the next one, unless its cancellation is requested; where one is open (unknown
     * outcome, or its process died) the row comes with `mustLookUp`.
     */
    async claimDue(
      most: { itemsMax: number; bytesMax: number },
      times: { leaseMs: number; settleMs: number },
    ): Promise<Claimed[]> {
      const rows = await database.query<ClaimedRow>(claimStatement, [
        most.itemsMax,
        instance,
        times.leaseMs,
        times.settleMs,
        most.bytesMax,
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
     * What has become of claims that have not called yet: `lost` where the lease is over by the
     * clock of the database or another has claimed the order.
     */
    async askAgain(claimed: { orderId: string; claim: number }[]): Promise<Map<string, Standing>> {
      const rows = await database.query<{ order_id: string; standing: Standing }>(
        askAgainStatement,
        [claimed.map((h) => h.orderId), claimed.map((h) => h.claim)],
      );
      return new Map(rows.map((row) => [row.order_id, row.standing]));
    },
    /**
     * Makes up to `limit` orders due that wait for the provider, those first that would be due
     * first. Resolves to how many.
     */
    async resume(limit: number): Promise<number> {
      return (await database.query(resumeStatement, [limit])).length;
    },
    /**
     * Ends the leases that an earlier life of this instance still holds; what was in mid-call is
     * looked up first.
     */
    async takeBack(): Promise<void> {
      await database.query(takeBackStatement, [instance]);
    },
  };
}

type ClaimedRow = Omit<Claimed, 'failedAttempts' | 'publishedAt' | 'startedAt'> & {
  failedAttempts: string;
  publishedAt: Date | null;
  startedAt: Date;
};

/** Whether a claimed order may be sent. */
export type Standing = 'wanted' | 'unwanted' | 'lost';

export type ClaimStore = ReturnType<typeof createClaimStore>;

// The row tells whether its cancellation was requested, and is read anew under its lock. The table
// is asked as well: an order and its request that two instances filed at the same moment (a
// partition that changes hands) did not see each other.
// I4: the claim records the attempt before the call leaves. I7: an open attempt is looked up.
const claimStatement = {
  name: 'fulfillment-claim',
  text: `
    WITH free AS (
      SELECT order_id, due_at, octet_length(payload) AS bytes, attempt_open AS was_open,
        cancel_requested OR coalesce(
          (SELECT true FROM cancellations c WHERE c.order_id = d.order_id), false) AS is_unwanted
      FROM fulfillments d
      WHERE due_at <= now()
      ORDER BY due_at
      LIMIT $1
      FOR UPDATE SKIP LOCKED),
    due AS (
      SELECT order_id, was_open, is_unwanted, bytes,
        sum(bytes) OVER (ORDER BY due_at, order_id) AS total
      FROM free)
    UPDATE fulfillments f
    SET claim = f.claim + 1,
        claimed_by = $2,
        due_at = now() + $3::int * interval '1 ms',
        attempt_open = due.was_open OR NOT due.is_unwanted,
        was_unknown = f.was_unknown OR (due.was_open AND f.settle_at IS NULL),
        may_resend = f.may_resend AND (due.was_open OR due.is_unwanted),
        attempts = f.attempts + CASE WHEN due.was_open OR due.is_unwanted THEN 0 ELSE 1 END,
        attempted_at = CASE WHEN due.was_open OR due.is_unwanted THEN f.attempted_at ELSE now() END,
        abandoned = f.abandoned + CASE WHEN due.was_open AND f.settle_at IS NULL THEN 1 ELSE 0 END,
        settle_at = CASE
          WHEN due.was_open THEN coalesce(f.settle_at, now() + $4::int * interval '1 ms') END
    FROM due
    WHERE f.order_id = due.order_id AND due.total - due.bytes < $5
    RETURNING f.order_id AS "orderId", f.claim, f.state, f.sequence, f.attempts, f.abandoned,
      f.attempts_before AS "attemptsBefore", f.retries, due.was_open AS "mustLookUp",
      f.was_unknown AS "wasUnknown", f.refusal, f.held AS "isHeld",
      coalesce(f.settle_at <= now(), false) AS "isSettled", f.may_resend AS "mayResend",
      due.is_unwanted AS "isCancelRequested",
      (extract(epoch FROM now() - coalesce(f.retried_at, f.filed_at)) * 1000)::float8 AS "ageMs",
      f.filed_at AS "startedAt", f.published_at AS "publishedAt",
      f.failed_attempts AS "failedAttempts", f.payload, f.correlation_id AS "correlationId",
      f.traceparent`,
};

// I6: a lease is prolonged only under the claim that was taken.
const renewStatement = {
  name: 'fulfillment-renew',
  text: `
    UPDATE fulfillments f SET due_at = now() + $3::int * interval '1 ms'
    FROM unnest($1::uuid[], $2::int[]) AS h (order_id, claim)
    WHERE f.order_id = h.order_id
      AND f.claim = h.claim
      AND f.claimed_by IS NOT NULL
      AND f.due_at IS NOT NULL
    RETURNING f.order_id`,
};

const takeBackStatement = {
  name: 'fulfillment-take-back',
  text: 'UPDATE fulfillments SET due_at = now() WHERE claimed_by = $1 AND due_at > now()',
};

const askAgainStatement = {
  name: 'fulfillment-ask-again',
  text: `
    SELECT f.order_id,
      CASE
        WHEN f.claim <> h.claim OR f.claimed_by IS NULL OR f.due_at <= now() THEN 'lost'
        WHEN c.order_id IS NOT NULL THEN 'unwanted'
        ELSE 'wanted' END AS standing
    FROM unnest($1::uuid[], $2::int[]) AS h (order_id, claim)
    JOIN fulfillments f USING (order_id)
    LEFT JOIN cancellations c USING (order_id)`,
};

// `due_at` alone is not the reason of a wait: an order of its own failures keeps its backoff.
const resumeStatement = {
  name: 'fulfillment-resume',
  text: `
    WITH waiting AS (
      SELECT order_id
      FROM fulfillments
      WHERE due_at > now() AND waits_for_provider AND claimed_by IS NULL
      ORDER BY due_at
      LIMIT $1
      FOR UPDATE SKIP LOCKED)
    UPDATE fulfillments f
    SET due_at = now(), waits_for_provider = false
    FROM waiting
    WHERE f.order_id = waiting.order_id
    RETURNING f.order_id`,
};
