import assert from 'node:assert/strict';
import { test } from 'node:test';
import { intercept, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import { newOrder, orderTables, trace } from '../order-instance.ts';

const postgres = await startTestPostgres();
const withKey = (key: string) => ({ ...trace, key: { scope: '', key } });

test('I1: a placed order is on disk with its event before the answer, and the event is published', async (t) => {
  const { instanceOf, sql, fake, count } = await orderTables(t, postgres);
  const { place } = instanceOf('a');
  const placed = await place(newOrder(), trace);
  assert.deepEqual(placed, { orderId: placed.orderId, status: 'Created', isRepeat: false });
  const [row] = await sql(
    'SELECT order_id, status, total::text, item_count, publish_failed, attention, correlation_id, created_at, updated_at FROM orders',
  );
  assert.deepEqual(row, {
    order_id: placed.orderId,
    status: 'Created',
    total: '39.98',
    item_count: 1,
    publish_failed: false,
    attention: null,
    correlation_id: 'test',
    created_at: row?.created_at,
    updated_at: row?.created_at,
  });
  await until('the event is published', async () => (await count('outbox')) === 0);
  const event = JSON.parse(String(fake.taken[0]?.event.value));
  assert.deepEqual(row?.created_at, new Date(event.createdAt));
});

test('three hundred concurrent orders share few statements, and each has its own row and event', async (t) => {
  const { instanceOf, fake, count } = await orderTables(t, postgres);
  let statements = 0;
  const { place } = instanceOf('a', {
    through: (database) =>
      intercept(database, (name, run) => {
        if (name === 'order-place') statements += 1;
        return run();
      }),
  });
  const placed = await Promise.all(Array.from({ length: 300 }, () => place(newOrder(), trace)));
  assert.equal(new Set(placed.map(({ orderId }) => orderId)).size, 300);
  assert.equal(await count('orders'), 300);
  await until('all are published', async () => (await count('outbox')) === 0);
  assert.equal(fake.keys().size, 300);
  assert.ok(statements <= 4, `${statements} statements`);
});

test('a value that the database refuses fails its own order and none of its neighbours', async (t) => {
  const { instanceOf, count } = await orderTables(t, postgres);
  const { place } = instanceOf('a');
  const names = Array.from({ length: 40 }, (_, i) => (i === 17 ? 'nul\u0000' : `name ${i}`));
  const results = await Promise.allSettled(
    names.map((customerName) => place(newOrder({ customerName }), trace)),
  );
  const refused = results.flatMap((result, i) =>
    result.status === 'rejected' ? [[i, result.reason.code]] : [],
  );
  assert.deepEqual(refused, [[17, 'validation_failed']]);
  assert.equal(await count('orders'), 39);
});

test('while the relay is cold orders are born Pending, and recovery clears the flag', async (t) => {
  const { instanceOf, fake, sql, count } = await orderTables(t, postgres);
  const { place, relay } = instanceOf('a');
  let isAway = true;
  fake.behaviour = async () => {
    if (isAway) throw new Error('away');
  };
  relay.start();
  const first = await place(newOrder(), trace);
  assert.equal(first.status, 'Created');
  await until('the relay is cold', () => !relay.isHot);
  const second = await place(newOrder(), withKey('k'));
  assert.equal(second.status, 'Pending');
  const pending = { status: 'Pending', publish_failed: true, attention: 'Pending' };
  const show = () => sql('SELECT status, publish_failed, attention FROM orders ORDER BY order_id');
  await until('the first is Pending too', async () =>
    (await show()).every((row) => row.status === 'Pending'),
  );
  assert.deepEqual(await show(), [pending, pending]);
  isAway = false;
  await until('the outbox is empty', async () => (await count('outbox')) === 0);
  await until('the flags are cleared', async () =>
    (await show()).every((row) => row.publish_failed === false),
  );
  assert.equal(
    (await place(newOrder(), withKey('k'))).status,
    'Pending',
    'a replay has the first status',
  );
});

test('the same key and content give the first answer again, other content is refused', async (t) => {
  const { instanceOf, count } = await orderTables(t, postgres);
  const { place } = instanceOf('a');
  const first = await place(newOrder(), withKey('k'));
  const again = await instanceOf('b').place(newOrder(), withKey('k'));
  assert.deepEqual(again, { ...first, isRepeat: true });
  await assert.rejects(place(newOrder({ customerName: 'Another' }), withKey('k')), {
    code: 'idempotency_key_reused',
  });
  const inOneBatch = await Promise.all([1, 2, 3].map(() => place(newOrder(), withKey('k2'))));
  assert.equal(new Set(inOneBatch.map(({ orderId }) => orderId)).size, 1);
  assert.deepEqual(inOneBatch.map(({ isRepeat }) => isRepeat).sort(), [false, true, true]);
  assert.equal(await count('orders'), 2);
});

test('fifty concurrent requests with the same key at two instances make one order', async (t) => {
  const { instanceOf, count, fake } = await orderTables(t, postgres);
  const instances = [instanceOf('a'), instanceOf('b')];
  for (let round = 0; round < 5; round += 1) {
    const ask = (i: number) => instances[i % 2]?.place(newOrder(), withKey(`key ${round}`));
    const placed = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(i)));
    assert.equal(new Set(placed.map((p) => p?.orderId)).size, 1);
    assert.equal(placed.filter((p) => p?.isRepeat === false).length, 1);
  }
  assert.equal(await count('orders'), 5);
  await until('one event an order', async () => (await count('outbox')) === 0);
  assert.equal(fake.taken.length, 5);
});

test('keys in any order at two instances at once neither deadlock nor double', async (t) => {
  const { instanceOf, count } = await orderTables(t, postgres);
  const instances = [instanceOf('a'), instanceOf('b')];
  const keys = Array.from({ length: 120 }, (_, i) => `key ${i}`);
  const all = await Promise.all(
    [keys, keys.toReversed()].flatMap((some, i) =>
      some.map((key) => instances[i]?.place(newOrder(), withKey(key))),
    ),
  );
  assert.equal(new Set(all.map((p) => p?.orderId)).size, 120);
  assert.equal(await count('orders'), 120);
});

/**
 * A transaction of somebody else that stays open until released, at the latest at the end of the
 * test; then it is undone.
 */

test('closing commits what waits and refuses what comes', async (t) => {
  const { instanceOf, count } = await orderTables(t, postgres);
  const { place, close } = instanceOf('a');
  const all = Array.from({ length: 300 }, () => place(newOrder(), trace));
  await close();
  await Promise.all(all);
  assert.equal(await count('orders'), 300);
  await assert.rejects(place(newOrder(), trace), { code: 'overloaded' });
});
