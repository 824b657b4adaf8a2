import type { Noticed, ScanResult, Watch } from '@orders/platform/operate/sentinel';
import type { WatchedTable } from '@orders/platform/operate/sentinel-store';
import type { Database } from '@orders/platform/postgres/database';

export const watchedFulfillments: WatchedTable = { name: 'fulfillments', stateColumn: 'state' };

export const stuckReasons = [
  'refused_by_broker',
  'not_published',
  'awaiting_operator',
  'outcome_unknown',
  'breaker_open',
  'lease_expired',
  'not_dispatched',
  'over_deadline',
] as const;

/** How long a fulfillment may wait for what comes next. */
export function fulfillmentDeadlines(stuckAfterMs: number) {
  return {
    promptMs: stuckAfterMs / 2,
    putOffMs: stuckAfterMs,
    outcomeMs: 10 * stuckAfterMs,
    openMs: 60 * stuckAfterMs,
  };
}

/** Rows of one statement. */
const rowsMax = 2_000;
const lowestId = '00000000-0000-0000-0000-000000000000';

/**
 * What the sentinel of the Fulfillment Service looks for: among the open fulfillments, which an
 * index knows, and in the outbox.
 */
export function createFulfillmentWatch(
  database: Database,
  deadlines: ReturnType<typeof fulfillmentDeadlines>,
): Watch {
  const { promptMs, putOffMs, outcomeMs, openMs } = deadlines;
  const look = async (
    statement: { name: string; text: string },
    after: string[],
    values: number[],
  ): Promise<ScanResult> => {
    const [row] = await database.query<ScanRow>(statement, [...after, rowsMax, ...values]);
    const { found = 0, next = null, stuck = [], recovered = [] } = row ?? {};
    return { found, next: found === rowsMax ? next : null, stuck, recovered };
  };
  const ofSearch = async (scan: Promise<ScanResult>): Promise<ScanResult> => {
    const { next, stuck = [] } = await scan;
    return { next, stuck, found: stuck.length };
  };
  const all = [promptMs, outcomeMs, openMs, putOffMs];
  return {
    search: [
      (after) => ofSearch(look(openStatement, after ?? ['-infinity', lowestId], all)),
      (after) => ofSearch(look(outboxStatement, after ?? ['', '0'], [promptMs])),
    ],
    recheck: (after) => look(recheckStatement, after ?? [lowestId], all),
  };
}

type ScanRow = { found: number; next: string[] | null; stuck: Noticed[]; recovered: Noticed[] };

/** Open for any instance: forced, or by itself on an instance that lives. */
const breaker = `
  breaker AS MATERIALIZED (
    SELECT EXISTS (SELECT FROM breakers WHERE name = 'shipping' AND mode = 'forced_open')
      OR EXISTS (
        SELECT FROM instances
        WHERE breaker_state <> 'closed' AND seen_at > now() - interval '1 minute')
      AND NOT EXISTS (
        SELECT FROM breakers
        WHERE name = 'shipping' AND mode = 'forced_closed') AS is_open)`;

/**
 * Why an open fulfillment `f` is stuck, or null. What is true of one that is looked up now and then
 * must not depend on whether it is in hand at this moment, or it would be stuck and recovered by
 * turns.
 */
const reasonOf = (prompt: string, outcome: string, open: string, putOff: string) => {
  const ago = (ms: string) => `now() - ${ms}::float8 * interval '1 ms'`;
  return `
    CASE
      WHEN f.due_at IS NULL THEN NULL
      WHEN f.attempt_open AND f.settle_at < ${ago(prompt)} AND f.error LIKE '%waits for an operator' THEN 'awaiting_operator'
      WHEN breaker.is_open AND coalesce(f.retried_at, f.filed_at) < ${ago(putOff)} THEN 'breaker_open'
      WHEN f.attempt_open AND f.settle_at < ${ago(outcome)} THEN 'outcome_unknown'
      WHEN f.due_at < ${ago(prompt)} THEN CASE WHEN f.claimed_by IS NULL THEN 'not_dispatched' ELSE 'lease_expired' END
      WHEN coalesce(f.retried_at, f.filed_at) < ${ago(open)} THEN 'over_deadline'
    END`;
};

const noticed = (reason: string) =>
  `json_build_object('orderId', order_id, 'reason', ${reason}, 'correlationId', correlation_id)`;

/** Enters what is stuck of the scanned rows; what is watched already is the recheck's business. */
const enter = `
  entered AS (
    INSERT INTO watched (order_id, reason)
    SELECT order_id, reason
    FROM scanned
    WHERE reason IS NOT NULL
    ORDER BY order_id
    ON CONFLICT DO NOTHING
    RETURNING order_id, reason)`;
// Joined to the table by its index: two lists of 2,000 would be compared each with each.
const stuck = `
  (SELECT coalesce(json_agg(${noticed('entered.reason')}), '[]')
   FROM entered LEFT JOIN fulfillments USING (order_id)) AS stuck`;

const openStatement = {
  name: 'watch-open',
  text: `
    WITH ${breaker},
    scanned AS MATERIALIZED (
      SELECT f.order_id, f.due_at, ${reasonOf('$4', '$5', '$6', '$7')} AS reason
      FROM (
        SELECT *
        FROM fulfillments
        WHERE due_at IS NOT NULL AND (due_at, order_id) > ($1::timestamptz, $2::uuid)
        ORDER BY due_at, order_id
        LIMIT $3) f
      CROSS JOIN breaker),
    ${enter}
    SELECT (SELECT count(*)::int FROM scanned) AS found, ${stuck},
      (SELECT ARRAY[due_at::text, order_id::text]
       FROM scanned
       ORDER BY due_at DESC, order_id DESC
       LIMIT 1) AS next`,
};

const outboxStatement = {
  name: 'watch-outbox',
  text: `
    WITH waiting AS MATERIALIZED (
      SELECT key, sequence, created_at, refused, payload IS NOT NULL AS is_event FROM outbox
      WHERE (key, sequence) > ($1, $2::int)
      ORDER BY key, sequence
      LIMIT $3),
    late AS MATERIALIZED (
      SELECT DISTINCT ON (key) key,
        CASE WHEN refused IS NULL THEN 'not_published' ELSE 'refused_by_broker' END AS reason
      FROM waiting
      WHERE is_event AND (refused IS NOT NULL OR created_at < now() - $4::float8 * interval '1 ms')
      ORDER BY key, sequence),
    scanned AS MATERIALIZED (SELECT key::uuid AS order_id, reason FROM late),
    ${enter}
    SELECT (SELECT count(*)::int FROM waiting) AS found,
      (SELECT ARRAY[key, sequence::text]
       FROM waiting
       ORDER BY key DESC, sequence DESC
       LIMIT 1) AS next,
      ${stuck}`,
};

const recheckStatement = {
  name: 'watch-recheck',
  text: `
    WITH ${breaker},
    batch AS MATERIALIZED (
      SELECT order_id, reason
      FROM watched
      WHERE order_id > $1::uuid
      ORDER BY order_id
      LIMIT $2),
    seen AS MATERIALIZED (
      SELECT b.order_id, b.reason AS was, f.correlation_id,
        CASE WHEN x.is_refused THEN 'refused_by_broker'
             WHEN x.oldest < now() - $3::float8 * interval '1 ms' THEN 'not_published'
             ELSE ${reasonOf('$3', '$4', '$5', '$6')} END AS reason
      FROM batch b
      CROSS JOIN breaker
      LEFT JOIN fulfillments f ON f.order_id = b.order_id
      LEFT JOIN LATERAL (
        SELECT min(created_at) AS oldest, bool_or(refused IS NOT NULL) AS is_refused
        FROM outbox
        WHERE key = b.order_id::text) x ON true),
    gone AS (DELETE FROM watched w USING seen s WHERE w.order_id = s.order_id AND s.reason IS NULL),
    changed AS (
      UPDATE watched w
      SET reason = s.reason
      FROM seen s
      WHERE w.order_id = s.order_id AND s.reason <> s.was)
    SELECT (SELECT count(*)::int FROM batch) AS found,
      (SELECT ARRAY[order_id::text] FROM batch ORDER BY order_id DESC LIMIT 1) AS next,
      (SELECT coalesce(json_agg(${noticed('was')}), '[]')
       FROM seen
       WHERE reason IS NULL) AS recovered`,
};
