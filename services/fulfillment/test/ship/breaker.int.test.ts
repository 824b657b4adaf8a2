import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { intercept, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import type { Policy } from '../../src/fulfillment.ts';
import { createShippingBreakerStore } from '../../src/operate/shipping-breaker-store.ts';
import { fulfillmentTables, newIds, orderCreated, orderEvent } from '../fulfillment-instance.ts';
import { scriptedProvider, shipment } from '../scripted-provider.ts';

const postgres = await startTestPostgres();
const events = (count: number) => newIds(count).map((id) => orderEvent(orderCreated(id)));

async function instances(
  t: TestContext,
  names: string[],
  policy: Partial<Policy> = {},
  concurrency = 16,
) {
  const provider = await scriptedProvider(t);
  const tables = await fulfillmentTables(t, postgres);
  const statements = new Map<string, number>();
  const all = names.map((name) =>
    tables.instanceOf(name, {
      providerUrl: provider.url,
      policy,
      concurrency,
      // No call may time out on a busy machine: with the short deadlines here its order would fail.
      timeoutMs: 10_000,
      through: (database) =>
        intercept(database, (statement, run) => {
          statements.set(statement, (statements.get(statement) ?? 0) + 1);
          return run();
        }),
    }),
  );
  const store = createShippingBreakerStore(tables.connect('operator'));
  const force = (mode: 'automatic' | 'forced_open' | 'forced_closed') =>
    store.setBreaker({ mode, operator: 'ann', reason: 'test' });
  const gauge = async (i = 0, name = 'circuit_breaker_state') =>
    (await all[i]?.metrics.registry.getSingleMetric(name)?.get())?.values
      .filter(({ labels }) => labels.name !== 'shipping_look_up')
      .map(({ value }) => value)
      .at(-1);
  const counted = async (where: string) =>
    Number((await tables.sql(`SELECT count(*) AS n FROM fulfillments WHERE ${where}`))[0]?.n);
  return { ...tables, provider, all, store, force, gauge, counted, statements };
}

test('forced open, no instance lets a call leave and nothing fails or counts; automatic again, all ship at once', async (t) => {
  const { provider, all, store, force, gauge, counted } = await instances(t, ['a', 'b'], {
    deadlineMs: 1,
  });
  await force('forced_open');
  for (const one of all) one.start();
  await until('both tell that they are open', async () => {
    const { instances } = await store.breaker();
    return instances.length === 2 && instances.every(({ state }) => state === 'open');
  });
  for (const one of all) await one.handle(events(15));
  await until(
    'all say why they wait',
    async () => (await counted("state = 'Retrying' AND error LIKE '%forced open'")) === 30,
  );
  assert.equal(provider.asked.length, 0);
  assert.deepEqual([await gauge(0), await gauge(1)], [2, 2]);
  assert.partialDeepStrictEqual(await store.breaker(), {
    mode: 'forced_open',
    changedBy: 'ann',
    reason: 'test',
  });
  await force('automatic');
  await until(
    'all are shipped, also long after their deadline',
    async () => (await counted("state = 'Shipped'")) === 30,
  );
  assert.equal(await counted('attempts = 1'), 30);
  await until('both tell that they are closed', async () =>
    (await store.breaker()).instances.every(({ state }) => state === 'closed'),
  );
  assert.deepEqual([await gauge(0), await gauge(1)], [0, 0]);
});

test('forced closed, calls leave whatever fails; automatic again, it opens by itself and tells the error', async (t) => {
  const { provider, all, store, force, gauge, counted } = await instances(t, ['a']);
  provider.post = async () => ({ status: 401, body: { detail: 'who are you' } });
  await force('forced_closed');
  for (const one of all) one.start();
  for (const one of all) await one.handle(events(10));
  await until('many calls left', () => provider.posts().length > 100);
  assert.equal(await gauge(), 0);
  await force('automatic');
  await until('it is open', async () => (await store.breaker()).instances[0]?.state === 'open');
  const [told] = (await store.breaker()).instances;
  assert.partialDeepStrictEqual(told, {
    instance: 'a',
    callLimit: 16,
    lastError: '401 who are you',
  });
  await until('the gauge shows it, between the probes', async () => (await gauge()) === 2);
  provider.post = async () => shipment('T');
  await until('all ship', async () => (await counted("state = 'Shipped'")) === 10);
});

test('while it is open few rows are taken up each second, few statements run, and few probes leave', async (t) => {
  const policy = { backoffMs: 5, backoffMaxMs: 5 };
  const { provider, all, gauge, counted, statements } = await instances(t, ['a'], policy, 10);
  provider.post = async () => ({ status: 401 });
  provider.lookUp = async () => ({ status: 500 });
  const [a] = all;
  for (let i = 0; i < 8; i += 1) await a?.handle(events(250));
  a?.start();
  await until('it is open', async () => (await gauge()) === 2);
  const retries = () => counted("state = 'Retrying'");
  await until('it has settled', async () => (await retries()) > 20);
  const before = {
    posts: provider.posts().length,
    claims: statements.get('fulfillment-claim') ?? 0,
  };
  const began = performance.now();
  await until('three seconds have passed', () => performance.now() - began > 3_000);
  const claims = (statements.get('fulfillment-claim') ?? 0) - before.claims;
  const posts = provider.posts().length - before.posts;
  t.diagnostic(
    `${claims} claims and ${posts} probes in 3 s, ${await retries()} of 2,000 were put off`,
  );
  assert.ok(claims <= 40, `${claims} claims in 3 s`);
  assert.ok(posts <= 12, `${posts} probes in 3 s`);
  assert.ok((await retries()) <= 200);
  assert.equal(await counted("state = 'Failed'"), 0);
  provider.post = async () => shipment('T');
  await until(
    'all ship when it works again',
    async () => (await counted("state = 'Shipped'")) === 2_000,
    30_000,
  );
});

test('misconfigured behind an open breaker, nothing ever fails, also after the deadline', async (t) => {
  const { provider, all, gauge, counted } = await instances(t, ['a'], {
    deadlineMs: 1,
    attemptsMax: 1,
  });
  provider.post = async () => ({ status: 403 });
  all[0]?.start();
  await all[0]?.handle(events(40));
  await until('it is open', async () => (await gauge()) === 2);
  await until('all wait', async () => (await counted("state = 'Retrying' AND retries > 1")) === 40);
  assert.equal(await counted("state = 'Failed'"), 0);
  provider.post = async () => shipment('T');
  await until('all ship', async () => (await counted("state = 'Shipped' AND attempts = 1")) === 40);
});

for (const status of [400, 422, 409]) {
  test(`${status} never opens it: the provider works`, async (t) => {
    const { provider, all, gauge, counted } = await instances(t, ['a'], {
      attemptsMax: 2,
      settleMs: 10,
    });
    provider.post = async () => ({ status });
    const states: unknown[] = [];
    all[0]?.start();
    await all[0]?.handle(events(60));
    await until('all failed', async () => {
      states.push(await gauge());
      return (await counted("state = 'Failed'")) === 60;
    });
    assert.deepEqual([...new Set(states)], [0]);
  });
}

test('429 pauses the calls; after one that is taken they rise again', async (t) => {
  const { provider, all, gauge, counted, store } = await instances(
    t,
    ['a'],
    { attemptsMax: 100 },
    16,
  );
  provider.post = async () => ({ status: 429, headers: { 'retry-after': '0.1' } });
  const [a] = all;
  a?.start();
  await until('it takes new ones', () => (a?.pace.room() ?? 0) > 0);
  assert.equal(await gauge(0, 'shipping_call_limit'), 16);
  await a?.handle(events(16));
  const limit = async () => Number(await gauge(0, 'shipping_call_limit'));
  await until('one call at a time', async () => (await limit()) === 1);
  let [now, most] = [0, 0];
  provider.post = async () => {
    now += 1;
    most = Math.max(most, now);
    const allowed = await limit();
    assert.ok(now <= allowed, `${now} calls where ${allowed} are allowed`);
    now -= 1;
    return shipment('T');
  };
  await until('all ship', async () => (await counted("state = 'Shipped'")) === 16);
  await until('it rises', async () => (await limit()) >= 3);
  await until(
    'others see it',
    async () => Number((await store.breaker()).instances[0]?.callLimit) >= 3,
  );
});

test('an instance that tells nothing for a minute is gone', async (t) => {
  const { all, sql, store } = await instances(t, ['a']);
  await sql(
    `INSERT INTO instances (instance, breaker_state, breaker_since, call_limit, calls, seen_at)
     VALUES
       ('old', 'open', now(), 1, 1, now() - interval '61 s'),
       ('young', 'open', now(), 1, 1, now() - interval '50 s')`,
  );
  all[0]?.start();
  const names = async () => (await store.breaker()).instances.map(({ instance }) => instance);
  await until('this one tells of itself', async () => (await names()).includes('a'));
  assert.deepEqual(await names(), ['a', 'young']);
  assert.deepEqual(await sql("SELECT 1 FROM instances WHERE instance = 'old'"), []);
});
