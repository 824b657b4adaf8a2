import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { createHttpServer } from '@orders/platform/http/server';
import { startSentinel } from '@orders/platform/operate/sentinel';
import { createSentinelStore } from '@orders/platform/operate/sentinel-store';
import { addStuckRoutes, observeStuck } from '@orders/platform/operate/stuck-routes';
import { createMetrics } from '@orders/platform/process/metrics';
import { keepingLog, lookAround } from '@orders/platform/test/kit/look-around';
import { silentLog, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import {
  createOrderWatch,
  orderDeadlines,
  stuckReasons,
  watchedOrders,
} from '../../src/operate/watch-orders.ts';
import { orderTables } from '../order-instance.ts';

const postgres = await startTestPostgres();
const minute = 60;
const hour = 3_600;

async function watchedTables(t: TestContext) {
  const tables = await orderTables(t, postgres);
  const { connect, sql } = tables;
  const watch = createOrderWatch(connect('watch'), orderDeadlines(60_000));
  /** An order that became `status` so many seconds ago; resolves to its id. */
  const order = async (
    status: string,
    secondsAgo: number,
    more: { created?: number } = {},
  ): Promise<string> => {
    const [row] = await sql<{ id: string }>(
      `INSERT INTO orders (
         order_id, customer_id, customer_name, items, item_count, created_at, status,
         publish_failed, attention, updated_at)
       SELECT id, 'c', 'n', '[]', 1, uuid_extract_timestamp(id), $1, false,
         CASE WHEN $1 IN ('Pending', 'Retrying', 'Failed') THEN $1 END,
         now() - $2::float8 * interval '1 s'
       FROM (SELECT uuidv7(-$3::float8 * interval '1 s') AS id) made RETURNING order_id AS id`,
      [status, secondsAgo, more.created ?? secondsAgo],
    );
    return row?.id ?? '';
  };
  const unpublished = (orderId: string, secondsAgo: number, refused: string | null = null) =>
    sql(
      `INSERT INTO outbox (
         key, sequence, topic, event_id, event_type, payload, created_at, refused, claim_until)
       VALUES (
         $1, 1, 'order-events', gen_random_uuid(), 'OrderCreated', '{}',
         now() - $2::float8 * interval '1 s', $3, 'infinity')`,
      [orderId, secondsAgo, refused],
    );
  return { ...tables, watch, order, unpublished };
}

test('Each order over the deadline of its state is stuck for its own reason, the others are not', async (t) => {
  const { watch, order, unpublished, sql } = await watchedTables(t);
  const expected: Record<string, string> = {};
  const waiting = await order('Created', 40);
  await unpublished(waiting, 40);
  expected[waiting] = 'not_published';
  const refused = await order('Pending', 40);
  await unpublished(refused, 40, 'too large');
  expected[refused] = 'refused_by_broker';
  expected[await order('Created', 2 * minute)] = 'not_picked_up';
  expected[await order('Pending', 2 * minute)] = 'not_picked_up';
  expected[await order('Processing', 11 * minute)] = 'no_outcome';
  const unanswered = await order('Processing', minute, { created: 10 * minute });
  await sql(
    "UPDATE orders SET cancel_requested_at = now() - interval '6 minutes' WHERE order_id = $1",
    [unanswered],
  );
  expected[unanswered] = 'cancel_unanswered';
  // In time, or final.
  await order('Created', 45);
  await order('Processing', 9 * minute);
  await order('Retrying', 1, { created: 3 * hour });
  for (const status of ['Shipped', 'Failed', 'Cancelled']) await order(status, 2 * hour);
  const { stuck, recovered } = await lookAround(watch);
  assert.deepEqual(stuck, expected);
  assert.deepEqual(recovered, {});
  assert.deepEqual((await lookAround(watch)).stuck, {}, 'each is told once');
});

test('An order is stuck in Retrying by the time for which it was watched, not by its last attempt', async (t) => {
  const { watch, order, sql } = await watchedTables(t);
  const old = await order('Retrying', 10, { created: 3 * hour });
  assert.deepEqual((await lookAround(watch)).stuck, {}, 'an operator may have retried it just now');
  await sql("UPDATE watched SET entered_at = now() - interval '61 minutes'");
  assert.deepEqual((await lookAround(watch)).stuck, { [old]: 'retrying' });
});

test('What goes on is no longer stuck; what is final is no longer watched', async (t) => {
  const { watch, order, sql } = await watchedTables(t);
  const [shipped, going] = [await order('Created', 5 * minute), await order('Created', 5 * minute)];
  assert.deepEqual(Object.keys((await lookAround(watch)).stuck).sort(), [shipped, going].sort());
  await sql("UPDATE orders SET status = 'Shipped', updated_at = now() WHERE order_id = $1", [
    shipped,
  ]);
  await sql("UPDATE orders SET status = 'Processing', updated_at = now() WHERE order_id = $1", [
    going,
  ]);
  const { stuck, recovered } = await lookAround(watch);
  assert.deepEqual(
    [stuck, recovered],
    [{}, { [shipped]: 'not_picked_up', [going]: 'not_picked_up' }],
  );
  assert.deepEqual(await sql('SELECT order_id AS id, reason, since FROM watched'), [
    { id: going, reason: null, since: null },
  ]);
});

test('An order that failed and was retried by an operator is watched again', async (t) => {
  const { watch, order, sql } = await watchedTables(t);
  const failed = await order('Failed', 2 * hour);
  await lookAround(watch);
  assert.deepEqual(await sql('SELECT * FROM watched'), []);
  await sql("UPDATE orders SET status = 'Retrying', attention = 'Retrying'");
  await lookAround(watch);
  assert.deepEqual(
    (await sql('SELECT order_id AS id FROM watched')).map(({ id }) => id),
    [failed],
  );
});

test('100,000 open orders are walked and rechecked by bounded statements', async (t) => {
  const { watch, sql } = await watchedTables(t);
  await sql(
    `INSERT INTO orders (
       order_id, customer_id, customer_name, items, item_count, created_at, status, publish_failed,
       attention, updated_at)
     SELECT uuidv7(-interval '1 hour'), 'c', 'n', '[]', 1, now() - interval '1 hour', 'Pending',
       true, 'Pending', now() - interval '1 hour'
     FROM generate_series(1, 100000)`,
  );
  const began = performance.now();
  const { stuck, statements } = await lookAround(watch);
  assert.equal(Object.keys(stuck).length, 100_000);
  t.diagnostic(
    `${statements} statements, ${Math.round((performance.now() - began) / statements)} ms each`,
  );
  assert.ok(statements <= 75, `${statements} statements`);
});

test('Of two instances one is on watch; the other takes over, and nothing is told twice', async (t) => {
  const { connect, order, sql, watch } = await watchedTables(t);
  const { log, lines } = keepingLog();
  const start = (instance: string) => {
    const store = createSentinelStore(connect(instance), instance, watchedOrders);
    const sentinel = startSentinel({ store, watch, stuckAfterMs: 20, log });
    t.after(() => sentinel.close());
    return sentinel;
  };
  const first = await order('Created', 5 * minute);
  const a = start('a');
  await until('the first is told', () => lines.length > 0);
  start('b');
  await until(
    'a is on watch',
    async () => (await sql('SELECT locked_by FROM sentinel'))[0]?.locked_by === 'a',
  );
  await a.close();
  await sql("UPDATE sentinel SET locked_until = '-infinity'");
  await until(
    'b is on watch',
    async () => (await sql('SELECT locked_by FROM sentinel'))[0]?.locked_by === 'b',
  );
  const second = await order('Created', 5 * minute);
  await sql("UPDATE sentinel SET position = '00000000-0000-0000-0000-000000000000'");
  await until('the second is told', () => lines.length > 1);
  await sql("UPDATE orders SET status = 'Shipped'");
  await until('the recovery is told', () => lines.flatMap(({ orders }) => orders).length === 4);
  assert.deepEqual(
    lines.slice(0, 2),
    [first, second].map((id) => ({ message: 'orders are stuck', orders: [id] })),
  );
  assert.ok(lines.slice(2).every(({ message }) => message === 'orders are no longer stuck'));
});

test('The API lists what is stuck by pages and by reason, and the gauge counts it, other reasons as 0', async (t) => {
  const { watch, order, connect } = await watchedTables(t);
  const pickups = [
    await order('Created', 5 * minute),
    await order('Created', 4 * minute),
    await order('Created', 3 * minute),
  ];
  const outcome = await order('Processing', 20 * minute);
  await lookAround(watch);
  const store = createSentinelStore(connect('api'), 'api', watchedOrders);
  const app = createHttpServer({ log: silentLog });
  t.after(() => app.close());
  addStuckRoutes(app, { store, reasons: stuckReasons });
  const get = async (query: string) => {
    const { statusCode, body } = await app.inject({ url: `/api/stuck${query}` });
    return { statusCode, ...JSON.parse(body) };
  };
  const first = await get('?limit=3');
  const { nextPageToken, items } = await get(`?limit=3&pageToken=${first.nextPageToken}`);
  assert.equal(nextPageToken, null);
  assert.deepEqual(
    [...first.items, ...items].map(({ orderId }) => orderId),
    [outcome, ...pickups],
  );
  const [{ since, ageSeconds, ...one }] = (await get('?reason=no_outcome')).items;
  assert.deepEqual(one, { orderId: outcome, state: 'Processing', reason: 'no_outcome' });
  assert.ok(
    Math.abs(Date.now() - Date.parse(since)) < minute * 1_000 &&
      ageSeconds >= 20 * minute &&
      ageSeconds < hour,
  );
  assert.equal((await get('?reason=unheard')).statusCode, 400);

  const metrics = createMetrics('a');
  observeStuck(metrics, { store, reasons: stuckReasons });
  const text = await metrics.registry.metrics();
  const count = (reason: string) =>
    new RegExp(`stuck_orders\\{reason="${reason}"[^}]*\\} (\\d+)`).exec(text)?.[1];
  assert.deepEqual(stuckReasons.map(count), ['0', '0', '0', '3', '1', '0']);
});
