import type { OrderRow } from './facts.ts';
import { contentHash, pageSize, pagesOf, type Schema } from './schema.ts';

const columns = `order_id::text AS id, status, sequence,
  extract(epoch FROM now() - created_at)::float8 AS "ageSeconds",
  extract(epoch FROM now() - cancel_requested_at)::float8 AS "cancelAskedSeconds",
  fulfillment->>'status' AS "shownStatus", fulfillment->>'trackingNumber' AS "trackingNumber",
  fulfillment->'source' AS source,
  ${contentHash('items::text', 'customer_id', 'customer_name', 'items')} AS content`;

/** Orders sorted by id, up to and with `last`. */
export function readOrders(orders: Schema, last: string): AsyncGenerator<OrderRow[]> {
  return pagesOf<OrderRow, string>(
    (after) =>
      orders.query(
        `SELECT ${columns} FROM orders.orders
         WHERE order_id <= $1 AND ${after === undefined ? '$2::uuid IS NULL' : 'order_id > $2'}
         ORDER BY order_id LIMIT ${pageSize}`,
        [last, after ?? null],
      ),
    ({ id }) => id,
  );
}

export const readOrdersOf = (orders: Schema, ids: string[]): Promise<OrderRow[]> =>
  orders.query(`SELECT ${columns} FROM orders.orders WHERE order_id = ANY ($1::uuid[])`, [ids]);

/** The greatest id of an order now, and about how many there are, for the progress bar. */
export async function readExtent(orders: Schema): Promise<{ last: string; about: number }> {
  const [extent] = await orders.query<{ last: string | null; about: number }>(
    `SELECT (SELECT order_id::text FROM orders.orders ORDER BY order_id DESC LIMIT 1) AS last,
            (SELECT reltuples::float8
             FROM pg_class
             WHERE oid = 'orders.orders'::regclass) AS about`,
  );
  return {
    last: extent?.last ?? '00000000-0000-0000-0000-000000000000',
    about: Math.max(0, extent?.about ?? 0),
  };
}

type KeyRow = { scope: string; key: string; orderId: string; isOrphan: boolean };

/**
 * Idempotency keys, with whether their order is there; key and order are written in one commit and
 * read in one statement.
 */
export function readKeys(orders: Schema): AsyncGenerator<KeyRow[]> {
  return pagesOf<KeyRow, [string, string]>(
    (after) =>
      orders.query(
        `SELECT k.scope, k.key, k.order_id::text AS "orderId", o.order_id IS NULL AS "isOrphan"
         FROM (SELECT scope, key, order_id FROM orders.idempotency_keys
               WHERE ${after === undefined ? '$1::text[] IS NULL' : '(scope, key) > (($1::text[])[1], ($1::text[])[2])'}
               ORDER BY scope, key LIMIT ${pageSize}) k
         LEFT JOIN orders.orders o USING (order_id) ORDER BY k.scope, k.key`,
        [after ?? null],
      ),
    ({ scope, key }) => [scope, key],
  );
}
