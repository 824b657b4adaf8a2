import type { OrderStatus } from '@orders/contracts/orders/api';
import { insertEvents } from '@orders/platform/messaging/outbox-insert';
import type { Database } from '@orders/platform/postgres/database';
import { timeOfUuid } from '@orders/platform/postgres/uuid-time';
import { noteChanges } from '../change-log.ts';
import type { Placement } from './placement.ts';

/**
 * How a batch is placed: hot, claimed by this instance for the relay, or cold, born Pending and
 * left to whoever drains.
 */
export type PlaceAs = { instance: string; claimMs: number | null };
export type KeyedPlacement = Placement & { scope: string; key: string; hash: string };
export type KnownKey = {
  scope: string;
  key: string;
  hash: string;
  orderId: string;
  status: string;
};
/** The statements of station 3. Each is one autocommit statement for a whole batch. */
export function createPlacingStore(database: Database) {
  return {
    /** Stores orders and their events, all or nothing; resolves to their ids. */
    async place(batch: Placement[], as: PlaceAs): Promise<Set<string>> {
      await database.query(placeStatement, placeValues(batch, as));
      return new Set(batch.map(({ orderId }) => orderId));
    },
    /**
     * As `place`, for orders with an Idempotency-Key, sorted by key: resolves to the ids of those
     * whose key was free.
     */
    async placeKeyed(batch: KeyedPlacement[], as: PlaceAs): Promise<Set<string>> {
      const keys = [batch.map((p) => p.scope), batch.map((p) => p.key), batch.map((p) => p.hash)];
      const rows = await database.query<{ order_id: string }>(placeKeyedStatement, [
        ...placeValues(batch, as),
        ...keys,
      ]);
      return new Set(rows.map((row) => row.order_id));
    },
    async knownKeys(keys: { scope: string; key: string }[]): Promise<KnownKey[]> {
      return await database.query(knownKeysStatement, [
        keys.map((k) => k.scope),
        keys.map((k) => k.key),
      ]);
    },
    /** Deletes up to `limit` keys older than `hours`; resolves to how many. */
    async purgeKeys(hours: number, limit: number): Promise<number> {
      return (await database.query(purgeKeysStatement, [hours, limit])).length;
    },
    /** Which of these orders are stored: asked after a commit whose verdict was lost. */
    async stored(orderIds: string[]): Promise<Set<string>> {
      const rows = await database.query<{ order_id: string }>(storedStatement, [orderIds]);
      return new Set(rows.map((row) => row.order_id));
    },
  };
}

export type PlacingStore = ReturnType<typeof createPlacingStore>;

function placeValues(batch: Placement[], as: PlaceAs): unknown[] {
  const isHot = as.claimMs !== null;
  const status: OrderStatus = isHot ? 'Created' : 'Pending';
  return [
    batch.map((p) => p.orderId),
    batch.map((p) => p.customerId),
    batch.map((p) => p.customerName),
    batch.map((p) => p.currency),
    // Heavy values as one text that is split at line breaks: an array literal would escape every
    // quote of the JSON.
    batch.map((p) => p.itemsJson).join('\n'),
    batch.map((p) => p.itemCount),
    batch.map((p) => p.total),
    batch.map((p) => p.event.eventId),
    batch.map((p) => p.event.payload).join('\n'),
    batch.map((p) => p.correlationId),
    batch.map((p) => p.event.traceparent),
    status,
    batch[0]?.event.topic ?? '',
    as.instance,
    as.claimMs ?? 0,
  ];
}

const input = `
  input AS (
    SELECT *
    FROM unnest(
      $1::uuid[], $2::text[], $3::text[], $4::text[], string_to_array($5, E'\\n'), $6::int[],
      $7::numeric[], $8::uuid[], string_to_array($9, E'\\n'), $10::text[], $11::text[])
      AS i (
        order_id, customer_id, customer_name, currency, items, item_count, total, event_id, payload,
        correlation_id, traceparent))`;

const insertOrders = (from: string) => `
  INSERT INTO orders (
    order_id, customer_id, customer_name, currency, items, item_count, total, created_at,
    status, publish_failed, attention, updated_at, correlation_id)
  SELECT order_id, customer_id, customer_name, currency, items::json, item_count, total, created_at,
         $12, $12 = 'Pending', CASE $12 WHEN 'Pending' THEN $12 END, created_at, correlation_id
  FROM ${from}, LATERAL (SELECT ${timeOfUuid('order_id')} AS created_at) AS made`;

// I2: the event is inserted by the statement that inserts the order.
const insertCreated = (from: string): string =>
  insertEvents(
    `SELECT order_id::text AS key, 1 AS sequence, $13 AS topic, event_id,
            'OrderCreated' AS event_type, payload, correlation_id, traceparent
     FROM ${from}`,
    { by: '$14', ms: '$15' },
  );

// I1: order, event and key are one statement, so one commit; only then 201 may leave.
const placeStatement = {
  name: 'order-place',
  text: `
    WITH ${input}, placed AS (${insertOrders('input')}), noted AS (${noteChanges('input')})
    ${insertCreated('input')}`,
};

const placeKeyedStatement = {
  name: 'order-place-keyed',
  text: `
    WITH ${input},
    winners AS (
      INSERT INTO idempotency_keys (scope, key, hash, order_id, status)
      SELECT k.scope, k.key, k.hash, k.order_id, $12
      FROM unnest($16::text[], $17::text[], $18::text[], $1::uuid[])
        AS k (scope, key, hash, order_id)
      ON CONFLICT DO NOTHING
      RETURNING order_id),
    free AS (SELECT input.* FROM input JOIN winners USING (order_id)),
    placed AS (${insertOrders('free')}),
    sent AS (${insertCreated('free')}),
    noted AS (${noteChanges('winners')})
    SELECT order_id FROM winners`,
};

const knownKeysStatement = {
  name: 'order-known-keys',
  text: `
    SELECT k.scope, k.key, k.hash, k.order_id AS "orderId", k.status
    FROM unnest($1::text[], $2::text[]) AS asked (scope, key)
    JOIN idempotency_keys k ON k.scope = asked.scope AND k.key = asked.key`,
};

const purgeKeysStatement = {
  name: 'order-purge-keys',
  text: `
    DELETE FROM idempotency_keys k
    USING (
      SELECT scope, key
      FROM idempotency_keys
      WHERE created_at < now() - $1::int * interval '1 hour'
      ORDER BY created_at
      LIMIT $2) old
    WHERE k.scope = old.scope AND k.key = old.key
    RETURNING 1`,
};

const storedStatement = {
  name: 'order-stored',
  text: 'SELECT order_id FROM orders WHERE order_id = ANY ($1::uuid[])',
};
