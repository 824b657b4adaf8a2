import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { test } from 'node:test';
import type { IncomingEvent } from '@orders/platform/messaging/broker';
import { createOutboxStore } from '@orders/platform/messaging/outbox-store';
import { createMetrics } from '@orders/platform/process/metrics';
import { silentLog, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createOrderMetrics } from '../../src/metrics.ts';
import { createFulfillmentEventHandler } from '../../src/show/on-fulfillment-event.ts';
import { toPlacement } from '../../src/take/placement.ts';
import { fulfillmentEvent } from '../fulfillment-events.ts';
import { newOrder, orderStores, orderTables, trace } from '../order-instance.ts';

const postgres = await startTestPostgres();
const hot = { instance: 'a', claimMs: 10_000 };

async function tables(t: Parameters<typeof orderTables>[0]) {
  const all = await orderTables(t, postgres);
  const database = all.connect('a');
  const store = orderStores(database);
  const metrics = createOrderMetrics(createMetrics('test'), createOutboxStore(database, 'a'));
  const handle = createFulfillmentEventHandler({ store, metrics, log: silentLog });
  const place = async (count: number) => {
    const batch = Array.from({ length: count }, () => toPlacement(newOrder(), trace));
    await store.place(batch, hot);
    return batch.map(({ orderId }) => orderId);
  };
  const show = async (orderId: string) =>
    (
      await all.sql(
        'SELECT status, sequence, attention, publish_failed, fulfillment FROM orders WHERE order_id = $1',
        [orderId],
      )
    )[0];
  return { ...all, store, handle, place, show };
}

let offset = 1_000n;
function event(body: unknown): IncomingEvent {
  offset += 1n;
  const value = typeof body === 'string' ? Buffer.from(body) : Buffer.from(JSON.stringify(body));
  return {
    topic: 'fulfillment-events',
    partition: 3,
    offset,
    key: 'k',
    value,
    headers: { a: 'b' },
    publishedAt: new Date(),
  };
}

test('I2: a batch is stored all or nothing', async (t) => {
  const { store, count } = await tables(t);
  const [good, bad] = [
    toPlacement(newOrder(), trace),
    toPlacement(newOrder({ customerName: 'a\u0000' }), trace),
  ];
  await assert.rejects(store.place([good, bad], hot));
  await assert.rejects(store.place([good, good], hot), { code: '23505' });
  assert.deepEqual([await count('orders'), await count('outbox')], [0, 0]);
  await store.place([good], hot);
  assert.deepEqual(await store.stored([good.orderId, bad.orderId]), new Set([good.orderId]));
});

test('only what is still Created becomes Pending, and publishing clears the flag but not the status', async (t) => {
  const { store, handle, place, show } = await tables(t);
  const [a = '', b = ''] = await place(2);
  await handle([event(fulfillmentEvent(b, 1, 'Processing'))]);
  await store.markPending([a, b]);
  assert.partialDeepStrictEqual(await show(a), {
    status: 'Pending',
    publish_failed: true,
    attention: 'Pending',
  });
  assert.partialDeepStrictEqual(await show(b), {
    status: 'Processing',
    publish_failed: false,
    attention: null,
  });
  await store.clearPublishFailed([a, b]);
  assert.partialDeepStrictEqual(await show(a), { status: 'Pending', publish_failed: false });
  await handle([event(fulfillmentEvent(a, 1, 'Processing'))]);
  assert.partialDeepStrictEqual(await show(a), {
    status: 'Processing',
    publish_failed: false,
    attention: null,
  });
});

test('I12: the projection takes only newer sequences, in one batch and across batches, in any letter case', async (t) => {
  const { handle, place, show } = await tables(t);
  const [a = ''] = await place(1);
  await handle([
    event(fulfillmentEvent(a, 3, 'Retrying')),
    event(fulfillmentEvent(a, 2, 'Processing')),
    event(fulfillmentEvent(a.toUpperCase(), 1, 'Processing')),
  ]);
  assert.partialDeepStrictEqual(await show(a), {
    status: 'Retrying',
    sequence: 3,
    attention: 'Retrying',
  });
  await handle([
    event(fulfillmentEvent(a, 3, 'Failed')),
    event(fulfillmentEvent(a, 1, 'Processing')),
  ]);
  assert.partialDeepStrictEqual(await show(a), { status: 'Retrying', sequence: 3 });
  const shipped = event(
    fulfillmentEvent(a, 4, 'Shipped', { trackingNumber: 'T\u0000"\n', surprise: 1 }),
  );
  await handle([shipped, event(fulfillmentEvent(randomUUIDv7(), 9, 'Shipped'))]);
  const row = await show(a);
  assert.partialDeepStrictEqual(row, { status: 'Shipped', sequence: 4, attention: null });
  const { trackingNumber, source, surprise } = Object(row?.fulfillment) as Record<string, unknown>;
  assert.equal(trackingNumber, 'T\u0000"\n');
  assert.deepEqual(source, {
    topic: 'fulfillment-events',
    partition: 3,
    offset: String(shipped.offset),
  });
  assert.equal(surprise, undefined);
});

test('I11: poison of any kind is buried with its bytes, and good events of the same batch and order are projected', async (t) => {
  const { handle, place, show, sql } = await tables(t);
  const [a = ''] = await place(1);
  const deep = JSON.stringify(fulfillmentEvent(a, 3, 'Shipped')).replace(
    '"attempts":0',
    `"attempts":0,"x":${'['.repeat(200_000)}${']'.repeat(200_000)}`,
  );
  const poison = [
    event('{'),
    event('null'),
    event('{"eventType":"OrderFulfilled"}'),
    event(fulfillmentEvent('no-uuid', 1, 'Shipped')),
    event(fulfillmentEvent(a, 3_000_000_000, 'Shipped')),
    event(fulfillmentEvent(a, 0, 'Shipped')),
  ];
  await handle([
    ...poison,
    event({ eventType: 'SomethingNew' }),
    event(fulfillmentEvent(a, 2, 'Processing')),
    event(deep),
  ]);
  assert.partialDeepStrictEqual(await show(a), { status: 'Shipped', sequence: 3 });
  const letters = await sql<{ offset: string; value: Buffer }>(
    'SELECT "offset", value FROM dead_letters ORDER BY "offset"',
  );
  assert.deepEqual(
    letters.map((letter) => letter.offset),
    poison.map((one) => String(one.offset)),
  );
  assert.deepEqual(
    letters.map((letter) => letter.value),
    poison.map((one) => one.value),
  );
  const waiting = await sql<{ topic: string; headers: Record<string, string> }>(
    "SELECT topic, headers FROM outbox WHERE event_type = 'DeadLetter'",
  );
  assert.equal(waiting.length, poison.length);
  assert.ok(waiting.every(({ topic }) => topic === 'fulfillment-events.dlq'));
  assert.deepEqual(Object.keys(waiting[0]?.headers ?? {}), [
    'a',
    'dlq-reason',
    'dlq-topic',
    'dlq-partition',
    'dlq-offset',
    'dlq-at',
  ]);
  await handle(poison);
  assert.equal(
    (await sql('SELECT 1 FROM dead_letters')).length,
    poison.length,
    'redelivery buries nothing twice',
  );
});

test('keys are remembered for as long as was asked and purged a bounded number at a time', async (t) => {
  const { store, sql, count } = await tables(t);
  await sql(
    `INSERT INTO idempotency_keys
     SELECT '', n::text, 'h', gen_random_uuid(), 'Created', now() - n * interval '1 hour'
     FROM generate_series(20, 29) n`,
  );
  assert.equal(await store.purgeKeys(24, 4), 4);
  assert.equal(await store.purgeKeys(24, 4), 2);
  assert.equal(await count('idempotency_keys'), 4);
});
