import type { CancellationRow, FulfillmentRow } from './facts.ts';
import { contentHash, pageSize, pagesOf, type Schema } from './schema.ts';

const columns = `order_id::text AS id, state, sequence, attempts, attempt_open AS "isAttemptOpen",
  extract(epoch FROM attempted_at)::float8 AS "attemptedAt",
  extract(epoch FROM due_at - now())::float8 AS "dueInSeconds", claimed_by AS "claimedBy",
  tracking_number AS "trackingNumber", error,
  extract(epoch FROM now() - coalesce(retried_at, filed_at))::float8 AS "ageSeconds",
  extract(epoch FROM now() - updated_at)::float8 AS "quietSeconds",
  json_build_object(
    'topic', source_topic, 'partition', source_partition, 'offset', source_offset::text) AS source,
  ${contentHash(
    'payload',
    `payload::json->'recipient'->>'customerId'`,
    `payload::json->'recipient'->>'name'`,
    `payload::json->'items'`,
  )} AS content`;

const cancellationColumns = `order_id::text AS id, extract(epoch FROM filed_at)::float8 AS "filedAt"`;

/** Fulfillments sorted by order id, without those filed after `before`, a time of this database. */
export function readFulfillments(
  fulfillment: Schema,
  before: string,
): AsyncGenerator<FulfillmentRow[]> {
  return pagesOf<FulfillmentRow, string>(
    (after) =>
      fulfillment.query(
        `SELECT ${columns} FROM fulfillment.fulfillments
         WHERE filed_at <= $1 AND ${after === undefined ? '$2::uuid IS NULL' : 'order_id > $2'}
         ORDER BY order_id LIMIT ${pageSize}`,
        [before, after ?? null],
      ),
    ({ id }) => id,
  );
}

export const readFulfillmentsOf = (fulfillment: Schema, ids: string[]): Promise<FulfillmentRow[]> =>
  fulfillment.query(
    `SELECT ${columns} FROM fulfillment.fulfillments WHERE order_id = ANY ($1::uuid[])`,
    [ids],
  );

/** Requests to cancel that the Fulfillment Service has taken, sorted by order id. */
export function readCancellations(fulfillment: Schema): AsyncGenerator<CancellationRow[]> {
  return pagesOf<CancellationRow, string>(
    (after) =>
      fulfillment.query(
        `SELECT ${cancellationColumns} FROM fulfillment.cancellations
         WHERE ${after === undefined ? '$1::uuid IS NULL' : 'order_id > $1'}
         ORDER BY order_id
         LIMIT ${pageSize}`,
        [after ?? null],
      ),
    ({ id }) => id,
  );
}

export const readCancellationsOf = (
  fulfillment: Schema,
  ids: string[],
): Promise<CancellationRow[]> =>
  fulfillment.query(
    `SELECT ${cancellationColumns} FROM fulfillment.cancellations
     WHERE order_id = ANY ($1::uuid[])`,
    [ids],
  );

/** Now, by the clock of this database, as text that it reads back exactly. */
export async function readNow(fulfillment: Schema): Promise<string> {
  const [row] = await fulfillment.query<{ now: string }>('SELECT now()::text AS now');
  return row?.now ?? 'infinity';
}
