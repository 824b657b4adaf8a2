import type { Noticed, ScanResult, Watch } from '@orders/platform/operate/sentinel';
import type { WatchedTable } from '@orders/platform/operate/sentinel-store';
import type { Database } from '@orders/platform/postgres/database';
import { leastUuidAt } from '@orders/platform/postgres/uuid-time';
import { finalStatusesSql } from '../order-status.ts';

export const watchedOrders: WatchedTable = { name: 'orders', stateColumn: 'status' };

export const stuckReasons = [
  'refused_by_broker',
  'not_published',
  'cancel_unanswered',
  'not_picked_up',
  'no_outcome',
  'retrying',
] as const;

/** How long an order may wait for what comes next. */
export function orderDeadlines(stuckAfterMs: number) {
  return {
    publishedMs: stuckAfterMs / 2,
    pickedUpMs: stuckAfterMs,
    cancelAnsweredMs: 5 * stuckAfterMs,
    outcomeMs: 10 * stuckAfterMs,
    retryingMs: 60 * stuckAfterMs,
  };
}

/**
 * Rows of one statement. A walk only reads; what orders the fastest service takes in must be walked
 * in the same time.
 */
const walkMax = 5_000;
const recheckMax = 2_000;
/**
 * Retried by an operator after they had failed: the walk has passed them, the index of Retrying
 * shows them first.
 */
const returnedMax = 500;

/**
 * What the sentinel of the Order Service looks for. No index finds an order by its status, so it
 * walks once over all and keeps the open ones.
 */
export function createOrderWatch(
  database: Database,
  deadlines: ReturnType<typeof orderDeadlines>,
): Watch {
  const { publishedMs, pickedUpMs, cancelAnsweredMs, outcomeMs, retryingMs } = deadlines;
  const search = async (): Promise<ScanResult> => {
    const [row] = await database.query<{ walked: number; entered: number }>(enterStatement, [
      publishedMs,
      walkMax,
      returnedMax,
    ]);
    return { found: row?.entered ?? 0, next: row?.walked === walkMax ? ['walk'] : null };
  };
  const recheck = async (after: string[] | null): Promise<ScanResult> => {
    const [row] = await database.query<RecheckRow>(recheckStatement, [
      after?.[0] ?? '00000000-0000-0000-0000-000000000000',
      recheckMax,
      publishedMs,
      cancelAnsweredMs,
      pickedUpMs,
      outcomeMs,
      retryingMs,
    ]);
    const { found = 0, last = null, stuck = [], recovered = [] } = row ?? {};
    return { found, next: found === recheckMax && last !== null ? [last] : null, stuck, recovered };
  };
  return { search: [search], recheck };
}

type RecheckRow = { found: number; last: string | null; stuck: Noticed[]; recovered: Noticed[] };

/**
 * An id carries the time of its order, so what is older than the first deadline is committed,
 * unless a process was frozen between id and commit or its clock is behind by more than that: such
 * an order is watched by the Fulfillment Service only.
 */
const enterStatement = {
  name: 'watch-enter',
  text: `
    WITH walked AS MATERIALIZED (
      SELECT order_id, status FROM orders
      WHERE order_id > (SELECT position FROM sentinel WHERE name = 'orders')
        AND order_id < (SELECT ${leastUuidAt("now() - $1::float8 * interval '1 ms'")})
      ORDER BY order_id LIMIT $2),
    returned AS MATERIALIZED (
      SELECT order_id
      FROM orders
      WHERE attention = 'Retrying'
      ORDER BY attention, order_id
      LIMIT $3),
    candidates AS (
      SELECT order_id
      FROM walked
      WHERE status NOT IN (${finalStatusesSql})
      UNION ALL
      SELECT order_id
      FROM returned),
    entered AS (
      INSERT INTO watched (order_id)
      SELECT order_id
      FROM candidates c
      WHERE NOT EXISTS (SELECT FROM watched w WHERE w.order_id = c.order_id)
      ORDER BY order_id
      ON CONFLICT DO NOTHING
      RETURNING 1),
    moved AS (
      UPDATE sentinel SET position = (SELECT order_id FROM walked ORDER BY order_id DESC LIMIT 1)
      WHERE name = 'orders' AND EXISTS (SELECT FROM walked))
    SELECT (SELECT count(*)::int FROM walked) AS walked,
      (SELECT count(*)::int FROM entered) AS entered`,
};

const recheckStatement = {
  name: 'watch-recheck',
  text: `
    WITH batch AS MATERIALIZED (
      SELECT order_id, reason, entered_at
      FROM watched
      WHERE order_id > $1::uuid
      ORDER BY order_id
      LIMIT $2),
    seen AS MATERIALIZED (
      SELECT b.order_id, b.reason AS was, o.correlation_id,
        o.order_id IS NULL OR o.status IN (${finalStatusesSql}) AS is_final,
        CASE
          WHEN x.is_refused THEN 'refused_by_broker'
          WHEN x.oldest < now() - $3::float8 * interval '1 ms' THEN 'not_published'
          WHEN o.cancel_requested_at < now() - $4::float8 * interval '1 ms' THEN 'cancel_unanswered'
          WHEN o.status IN ('Created', 'Pending')
            AND o.updated_at < now() - $5::float8 * interval '1 ms' THEN 'not_picked_up'
          WHEN o.status = 'Processing'
            AND o.updated_at < now() - $6::float8 * interval '1 ms' THEN 'no_outcome'
          WHEN o.status = 'Retrying'
            AND b.entered_at < now() - $7::float8 * interval '1 ms' THEN 'retrying'
        END AS reason
      FROM batch b LEFT JOIN orders o ON o.order_id = b.order_id
      LEFT JOIN LATERAL (
        SELECT min(created_at) AS oldest, bool_or(refused IS NOT NULL) AS is_refused
        FROM outbox
        WHERE key = b.order_id::text) x ON true),
    gone AS (DELETE FROM watched w USING seen s WHERE w.order_id = s.order_id AND s.is_final),
    changed AS (
      UPDATE watched w
      SET reason = s.reason,
        since = CASE WHEN s.reason IS NULL THEN NULL ELSE coalesce(w.since, now()) END
      FROM seen s
      WHERE w.order_id = s.order_id AND NOT s.is_final AND w.reason IS DISTINCT FROM s.reason),
    found AS (
      SELECT was IS NULL AS is_stuck,
        json_build_object(
          'orderId', order_id, 'reason', coalesce(was, reason), 'correlationId', correlation_id
        ) AS noticed
      FROM seen
      WHERE CASE
        WHEN was IS NULL THEN NOT is_final AND reason IS NOT NULL
        ELSE is_final OR reason IS NULL
      END)
    SELECT (SELECT count(*)::int FROM batch) AS found,
      (SELECT order_id FROM batch ORDER BY order_id DESC LIMIT 1) AS last,
      coalesce(json_agg(noticed) FILTER (WHERE is_stuck), '[]') AS stuck,
      coalesce(json_agg(noticed) FILTER (WHERE NOT is_stuck), '[]') AS recovered
    FROM found`,
};
