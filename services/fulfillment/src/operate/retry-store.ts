import type { FulfillmentState, RetryFilter } from '@orders/contracts/fulfillments/api';
import { insertEvents } from '@orders/platform/messaging/outbox-insert';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import { insertAction } from '@orders/platform/operate/operator-journal';
import { boundedWalk, pageOf, type WalkRow } from '@orders/platform/postgres/bounded-walk';
import type { Database } from '@orders/platform/postgres/database';
import { momentsOf } from '../fulfillment-event.ts';
import type { RetryCandidate } from './retry-plan.ts';

/** Rows that one request may look at while it searches for an error. */
const walkBudget = 20_000;
const lowestId = '00000000-0000-0000-0000-000000000000';

/** A retry with the event that tells it. */
export type RetryWriting = { candidate: RetryCandidate; dueMs: number; event: OutboxRow };

/** Who asked for what, for the record. */
export type RetryRecord = { operator: string; reason: string; request: object; skipped: number };

/** The statements of an operator's retry. Reading never locks. */
export function createRetryStore(database: Database) {
  return {
    /** The fulfillments with these ids, ordered by id. */
    async ofOrders(orderIds: string[]): Promise<RetryCandidate[]> {
      return (await database.query<CandidateRow>(ofOrdersStatement, [orderIds])).map(toCandidate);
    },
    /**
     * Up to `limit` fulfillments that the filter finds above the id `after`, lowest id first
     * (oldest, where ids carry the time). `next` is where a further look begins, null when all was
     * seen.
     */
    async ofFilter(
      filter: RetryFilter,
      limit: number,
      after: string | undefined,
    ): Promise<{ candidates: RetryCandidate[]; next: string | null }> {
      const { state, errorContains = null, createdFrom = null, createdTo = null } = filter;
      const rows = await database.query<CandidateRow & WalkRow>(ofFilterStatement, [
        state,
        after ?? lowestId,
        walkBudget,
        errorContains,
        createdFrom,
        createdTo,
        limit + 1,
      ]);
      const { hits, next } = pageOf(rows, { budget: walkBudget, limit });
      return { candidates: hits.map(toCandidate), next };
    },
    /**
     * Hands fulfillments back to the dispatcher with their events and the record of it, in one
     * statement. Resolves to when each of those is due that were written; the others have changed
     * since they were read and stay as they are.
     */
    async retry(writings: RetryWriting[], record: RetryRecord): Promise<Map<string, Date>> {
      // In the order in which reports lock rows, or the two would wait for each other.
      const sorted = writings.toSorted((a, b) =>
        a.candidate.orderId < b.candidate.orderId ? -1 : 1,
      );
      const rows = await database.query<{ order_id: string; due_at: Date }>(retryStatement, [
        sorted.map(({ candidate }) => candidate.orderId),
        sorted.map(({ candidate }) => candidate.claim),
        sorted.map(({ candidate }) => candidate.sequence),
        sorted.map(({ dueMs }) => dueMs),
        sorted.map(({ event }) => event.eventId),
        sorted.map(({ event }) => event.payload).join('\n'),
        sorted[0]?.event.topic ?? '',
        sorted[0]?.event.eventType ?? '',
        record.operator,
        record.reason,
        JSON.stringify(record.request),
        record.skipped,
        sorted.map(({ candidate }) => candidate.state),
      ]);
      return new Map(rows.map((row) => [row.order_id, row.due_at]));
    },
  };
}

export type RetryStore = ReturnType<typeof createRetryStore>;

type CandidateRow = Omit<
  RetryCandidate,
  'state' | 'failedAttempts' | 'publishedAt' | 'startedAt'
> & {
  state: string;
  failedAttempts: string;
  publishedAt: Date | null;
  startedAt: Date;
};

const toCandidate = (row: CandidateRow): RetryCandidate => ({
  ...row,
  state: row.state as FulfillmentState,
  ...momentsOf(row),
  failedAttempts: JSON.parse(row.failedAttempts),
});

const columns = `
  f.order_id AS "orderId", f.state, f.claim, f.sequence, f.attempts, f.error,
  f.failed_attempts AS "failedAttempts", f.attempt_open AS "isAttemptOpen",
  coalesce(f.claimed_by IS NOT NULL AND f.due_at > now(), false) AS "isInHand",
  f.given_up AS "isGivenUp",
  (extract(epoch FROM f.due_at - now()) * 1000)::float8 AS "dueInMs",
  c.order_id IS NOT NULL AS "isCancelRequested",
  f.correlation_id AS "correlationId", f.traceparent, f.published_at AS "publishedAt",
  f.filed_at AS "startedAt"`;

const ofOrdersStatement = {
  name: 'retry-of-orders',
  text: `
    SELECT ${columns} FROM unnest($1::uuid[]) AS i (order_id)
    JOIN fulfillments f USING (order_id)
    LEFT JOIN cancellations c USING (order_id)
    ORDER BY f.order_id`,
};

const ofFilterStatement = {
  name: 'retry-of-filter',
  text: `
    WITH ${boundedWalk({
      table: 'fulfillments',
      columns: 'error, created_at, given_up',
      where: `state = $1 AND state IN ('Retrying', 'Failed', 'Cancelled') AND order_id > $2::uuid`,
      direction: 'ASC',
      budget: '$3',
      matches: `
        NOT given_up
        AND ($4::text IS NULL OR strpos(lower(error), lower($4)) > 0)
        AND ($5::timestamptz IS NULL OR created_at >= $5)
        AND ($6::timestamptz IS NULL OR created_at < $6 + interval '1 ms')`,
      limitPlusOne: '$7',
    })}
    SELECT ends.*, ${columns}
    FROM ends
    LEFT JOIN hits ON true
    LEFT JOIN fulfillments f ON f.order_id = hits.order_id
    LEFT JOIN cancellations c ON c.order_id = hits.order_id
    ORDER BY hits.order_id`,
};

// Staggered due times are the rate limit: no job runs that a crash could lose, any instance takes
// up what is due. An attempt counts as open from here on, so the provider is asked for the shipment
// before anything is sent: whatever the earlier attempts came to, nothing ships twice. Where one is
// open already its settle time stays: a 404 must not count any sooner. The state is a parameter so
// that no index on states is used: rows are locked in order of their ids, as reports do.
const retryStatement = {
  name: 'fulfillment-retry',
  text: `
    WITH input AS (
      SELECT *
      FROM unnest(
        $1::uuid[], $2::int[], $3::int[], $4::int[], $5::uuid[],
        string_to_array($6, E'\\n'), $13::text[])
        AS i (order_id, claim, sequence, due_ms, event_id, event_payload, state)),
    retried AS (
      UPDATE fulfillments f
      SET state = 'Retrying', sequence = f.sequence + 1, claim = f.claim + 1, claimed_by = NULL,
          retries = 0, attempts_before = f.attempts - f.abandoned, retried_at = now(),
          may_resend = true, held = false, refusal = NULL, waits_for_provider = false,
          attempt_open = true,
          settle_at = CASE WHEN f.attempt_open THEN f.settle_at ELSE now() END,
          due_at = now() + i.due_ms * interval '1 ms', updated_at = now()
      FROM input i
      WHERE f.order_id = i.order_id
        AND f.claim = i.claim AND f.sequence = i.sequence AND f.state = i.state
        AND NOT coalesce(f.claimed_by IS NOT NULL AND f.due_at > now(), false)
      RETURNING f.order_id, f.sequence, f.due_at, f.correlation_id, f.traceparent, i.event_id,
        i.event_payload),
    published AS (
      ${insertEvents(
        `SELECT order_id::text AS key, sequence, $7 AS topic, event_id, $8 AS event_type,
                event_payload AS payload, correlation_id, traceparent
         FROM retried`,
      )}),
    recorded AS (
      ${insertAction({
        operator: '$9',
        action: "'retry'",
        reason: '$10',
        request: '$11::json',
        result: `json_build_object(
          'touched', (SELECT coalesce(json_agg(order_id), '[]') FROM retried),
          'skipped', $12::int + cardinality($1) - (SELECT count(*) FROM retried))`,
      })})
    SELECT order_id, due_at FROM retried`,
};
