import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '@orders/lab/kit/http';
import { startOrderWatch } from '@orders/lab/kit/order-watch';
import { anOrder, post, readOrders } from '@orders/lab/kit/orders';
import { reconcile } from '@orders/lab/kit/reconcile';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';
import { startOrderLoad } from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';

type Probe = { status: number; ms: number; retryAfter: string; said: string };

/** One call while PostgreSQL is away; status 0 where there was no answer at all. */
async function probe(method: string, url: string, path: string): Promise<Probe> {
  const begun = performance.now();
  const json = method === 'POST' ? { json: anOrder({ customerName: 'in the outage' }) } : {};
  const answer = await call(method, `${url}${path}`, json).catch((error: Error) => ({
    status: 0,
    text: error.message,
    headers: {},
  }));
  const ms = performance.now() - begun;
  const headers: Record<string, unknown> = answer.headers;
  const said = `${method} ${path}: ${answer.status} after ${Math.round(ms)} ms ${answer.text.slice(0, 200)}`;
  return { status: answer.status, ms, retryAfter: String(headers['retry-after']), said };
}

/** What callers are told from the kill until all is well again. */
async function probeUntilReady(url: string, seconds: number): Promise<Probe[]> {
  const probes: Probe[] = [];
  await until('the system to be ready again', seconds, async () => {
    const round = [
      await probe('POST', url, '/api/orders'),
      await probe('GET', url, '/api/orders?limit=1'),
      await probe('GET', url, '/health/ready'),
    ];
    probes.push(...round);
    return round.every(({ status }) => status === 200 || status === 201);
  });
  return probes;
}

test('While PostgreSQL is killed under load callers get 503 quickly, Node lives on, and all that was accepted ships', async (t) => {
  const system = await startSystem({ t });
  const { url } = system;
  const load = startOrderLoad({
    url,
    orders: await readRealOrders(),
    perSecond: 60,
    name: 'outage',
  });
  const watch = startOrderWatch(url);
  for (let kills = 0; kills < 3; kills += 1) {
    const before = load.accepted.length;
    await until('orders to be accepted', 15, () => load.accepted.length >= before + 40);
    const killed = system.postmaster()?.pid;
    assert.ok(killed, 'no PostgreSQL to kill');
    await system.kill('postgres');
    for (const { status, ms, retryAfter, said } of await probeUntilReady(url, 30)) {
      assert.ok([200, 201, 503].includes(status) && ms < 2_000, said);
      if (status === 503) assert.match(retryAfter, /^\d+$/, said);
    }
    assert.equal((await call('GET', `${url}/health/live`)).status, 200);
    assert.equal(system.program.exit, undefined);
    await until(
      'another PostgreSQL process',
      5,
      () => system.postmaster() !== undefined && system.postmaster()?.pid !== killed,
    );
  }
  await load.stop();
  assert.equal(load.accepted.length, load.sent.length);
  const answers = new Set(load.sent.flatMap((order) => order.answers));
  assert.deepEqual(
    [...answers].filter((status) => status !== 201 && status !== 503),
    [],
  );
  const ours = async () =>
    (await readOrders(url)).filter(({ customerName }) => customerName !== 'in the outage');
  await until('all orders to be Shipped', 60, async () =>
    (await ours()).every(({ status }) => status === 'Shipped'),
  );
  const everything = new Set((await readOrders(url)).map(({ orderId }) => orderId));
  await watch.stop();
  const ledger = await readLedger(system.providerUrl);
  for (const reference of ledger.keys())
    assert.ok(everything.has(reference), `a booking for ${reference}, which is no order`);
  const found = reconcile(load.sent, await ours(), ledger);
  assert.deepEqual({ ...found, orphans: [] }, { lost: [], doubled: [], stuck: [], orphans: [] });
  assert.deepEqual(watch.stepsBack, []);
  assert.ok(watch.seen > 0);
});

test('Orders that come by the hundred while PostgreSQL is away are turned away quickly instead of being hoarded', async (t) => {
  const system = await startSystem({ t });
  await system.kill('postgres');
  const answers = await Promise.all(Array.from({ length: 300 }, () => post(system.url, anOrder())));
  for (const { status, ms, text } of answers) {
    assert.ok(status === 201 || status === 503, text);
    assert.ok(status === 201 || ms < 2_000, `${status} after ${ms} ms`);
  }
  await until(
    'orders to be accepted again',
    30,
    async () => (await post(system.url, anOrder())).status === 201,
  );
});
