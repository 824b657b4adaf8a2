import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { intercept, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until, within } from '@orders/platform/test/kit/until';
import { momentNow } from '../../src/lease.ts';
import {
  fulfillmentTables,
  newIds,
  orderCreated,
  orderEvent,
  quick,
} from '../fulfillment-instance.ts';
import { type Answer, scriptedProvider, shipment } from '../scripted-provider.ts';

const postgres = await startTestPostgres();
const events = (ids: string[]) => ids.map((id) => orderEvent(orderCreated(id)));

test('two dispatchers on one database never call for the same order at once, and book each order once', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, sql, told } = await fulfillmentTables(t, postgres);
  const booked = new Map<string, number>();
  let draw = 1;
  const random = () => {
    draw = (draw * 48_271) % 2_147_483_647;
    return draw / 2_147_483_647;
  };
  // Books without regard to the key, so that a second sending would be seen.
  const book = (reference: string) => booked.set(reference, (booked.get(reference) ?? 0) + 1);
  provider.post = async ({ reference }): Promise<Answer> => {
    const fate = random();
    if (fate < 0.15) return { status: 503 };
    book(reference);
    return fate < 0.3 ? 'drop' : shipment(`T-${reference}`);
  };
  provider.lookUp = async ({ reference }): Promise<Answer> => {
    if (random() < 0.2) return { status: 500 };
    return booked.has(reference)
      ? ({ ...(shipment(`T-${reference}`) as object), status: 200 } as Answer)
      : { status: 404 };
  };
  const policy = { attemptsMax: 1_000 };
  const [a, b] = ['a', 'b'].map((name) =>
    instanceOf(name, { providerUrl: provider.url, policy, concurrency: 16 }),
  );
  assert.ok(a && b);
  a.start();
  b.start();
  const ids = newIds(200);
  await Promise.all([a.handle(events(ids.slice(0, 120))), b.handle(events(ids.slice(80)))]);
  const open = () => sql("SELECT order_id FROM fulfillments WHERE state <> 'Shipped'");
  await until('all are shipped', async () => (await open()).length === 0, 25_000);
  assert.equal(provider.mostAtOnce, 1);
  assert.deepEqual([...new Set(booked.values())], [1]);
  assert.equal(booked.size, 200);
  await until(
    'all events are published',
    async () => (await sql('SELECT 1 FROM outbox')).length === 0,
  );
  for (const id of ids) {
    const sequences = told(id).map(({ sequence }) => sequence);
    assert.deepEqual(
      sequences,
      sequences.map((_, i) => i + 1),
      'no gap and none twice',
    );
    assert.equal(told(id).at(-1)?.eventType, 'OrderFulfilled');
  }
});

test('no more calls than allowed are in flight, and a backlog is worked off', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, sql } = await fulfillmentTables(t, postgres);
  let [now, most] = [0, 0];
  provider.post = async () => {
    now += 1;
    most = Math.max(most, now);
    await nextTurn();
    now -= 1;
    return shipment('T');
  };
  const a = instanceOf('a', { providerUrl: provider.url, concurrency: 4 });
  a.start();
  for (let i = 0; i < 3; i += 1) await a.handle(events(newIds(50)));
  await until(
    'all are shipped',
    async () => (await sql("SELECT 1 FROM fulfillments WHERE state = 'Shipped'")).length === 150,
  );
  assert.ok(most <= 4 && most >= 2, `${most} at once`);
  assert.equal(provider.posts().length, 150);
});

test('a process that was stopped for long calls nobody: what it held goes back as it was', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, row, sql } = await fulfillmentTables(t, postgres);
  const a = instanceOf('a', { providerUrl: provider.url });
  const [id = ''] = newIds(1);
  await a.handle(events([id]));
  const claimed = await a.store.claimDue(
    { itemsMax: 1, bytesMax: 1_000_000 },
    { leaseMs: 15_000, settleMs: 0 },
  );
  const { steadyMs, wallMs } = momentNow();
  a.pace.take(claimed, { steadyMs: steadyMs - 8_000, wallMs });
  await until('it is handed back', async () => (await row(id))?.attempt_open === false);
  assert.partialDeepStrictEqual(await row(id), {
    state: 'Processing',
    attempts: 0,
    sequence: 1,
    claimed_by: null,
  });
  assert.deepEqual(await sql('SELECT 1 FROM fulfillments WHERE due_at <= now()'), [
    { '?column?': 1 },
  ]);
  assert.equal(provider.asked.length, 0);
});

test('closing hands back what waits for a free call at once, and lets the calls in flight finish', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, sql } = await fulfillmentTables(t, postgres);
  const answer = Promise.withResolvers<Answer>();
  provider.post = () => answer.promise;
  const a = instanceOf('a', { providerUrl: provider.url, concurrency: 2, timeoutMs: 10_000 });
  a.start();
  await until('it takes new ones', () => a.pace.room() >= 6);
  await a.handle(events(newIds(6)));
  await until('two are called', () => provider.posts().length === 2);
  const closing = a.stop();
  const back =
    'SELECT 1 FROM fulfillments WHERE due_at <= now() AND attempts = 0 AND NOT attempt_open';
  await until(
    'four are back while two still hang',
    async () => (await sql(back)).length === 4,
    2_000,
  );
  answer.resolve(shipment('T'));
  await within('it closes', closing, 4_000);
  assert.equal((await sql("SELECT 1 FROM fulfillments WHERE state = 'Shipped'")).length, 2);
  assert.equal(provider.posts().length, 2);
});

test('a deadlock in the report is tried again and costs no look-up', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, stateOf } = await fulfillmentTables(t, postgres);
  let deadlocks = 0;
  const a = instanceOf('a', {
    providerUrl: provider.url,
    through: (database) =>
      intercept(database, (name, run) => {
        if (name !== 'fulfillment-report' || deadlocks >= 2) return run();
        deadlocks += 1;
        return Promise.reject(Object.assign(new Error('deadlock detected'), { code: '40P01' }));
      }),
  });
  a.start();
  const [id = ''] = newIds(1);
  await a.handle(events([id]));
  await until('it is shipped', async () => (await stateOf(id)) === 'Shipped', 3_000);
  assert.equal(deadlocks, 2);
  assert.equal(provider.asked.length, 1);
});

test('I7: an outcome that could not be written is found again by look-up, not by a second sending', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, stateOf, sql } = await fulfillmentTables(t, postgres);
  provider.lookUp = async () => ({ ...(shipment('T1') as object), status: 200 }) as Answer;
  let isAway = true;
  const a = instanceOf('a', {
    providerUrl: provider.url,
    through: (database) =>
      intercept(database, (name, run) => {
        if (name !== 'fulfillment-report' || !isAway) return run();
        isAway = false;
        return Promise.reject(new Error('Connection terminated unexpectedly'));
      }),
  });
  a.start();
  const [id = ''] = newIds(1);
  await a.handle(events([id]));
  await until('the report failed', () => !isAway);
  await sql('UPDATE fulfillments SET due_at = now()');
  await until('it is shipped', async () => (await stateOf(id)) === 'Shipped');
  assert.deepEqual(
    provider.asked.map(({ method }) => method),
    ['POST', 'GET'],
  );
});

test('while the provider is down the breaker holds calls back, and everything ships when it is up again', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, sql } = await fulfillmentTables(t, postgres);
  let isDown = true;
  provider.post = async () => (isDown ? { status: 401 } : shipment('T'));
  const a = instanceOf('a', {
    providerUrl: provider.url,
    concurrency: 50,
    policy: { backoffMaxMs: quick.backoffMs },
  });
  a.start();
  await a.handle(events(newIds(40)));
  const retries = async () =>
    Number((await sql('SELECT sum(retries)::int AS n FROM fulfillments'))[0]?.n);
  await until('there were many tries', async () => (await retries()) > 200);
  assert.ok(
    provider.posts().length < 100,
    `${provider.posts().length} calls for ${await retries()} tries`,
  );
  isDown = false;
  await until(
    'all are shipped',
    async () => (await sql("SELECT 1 FROM fulfillments WHERE state = 'Shipped'")).length === 40,
  );
  assert.deepEqual(await sql('SELECT DISTINCT attempts FROM fulfillments'), [{ attempts: 1 }]);
});

test('a claim is bounded in bytes, and takes one order however large it is', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf } = await fulfillmentTables(t, postgres);
  const a = instanceOf('a', { providerUrl: provider.url });
  await a.handle(events(newIds(6)));
  const sizes = async (bytesMax: number) =>
    (await a.store.claimDue({ itemsMax: 10, bytesMax }, { leaseMs: 15_000, settleMs: 0 })).map(
      ({ payload }) => payload.length,
    );
  const [first = 0, ...others] = await sizes(1);
  assert.deepEqual(others, []);
  assert.ok(first > 0);
  assert.equal((await sizes(first + 1)).length, 2);
  assert.equal((await sizes(1_000_000)).length, 3);
});
