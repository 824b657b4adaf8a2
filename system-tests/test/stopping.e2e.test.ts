import assert from 'node:assert/strict';
import { test } from 'node:test';
import { livingProcesses } from '@orders/embedded/processes/process-table';
import { isFree } from '@orders/embedded/processes/server-port';
import { call } from '@orders/lab/kit/http';
import { anOrderOf, place, post, readOrder, readOrders, untilOrder } from '@orders/lab/kit/orders';
import { reconcile } from '@orders/lab/kit/reconcile';
import { readLedger, simulate } from '@orders/lab/kit/shipping-provider';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';
import { startOrderLoad } from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';

test('SIGINT and SIGTERM under load end everything within 10 s with exit code 0, and nothing that was accepted is lost', async (t) => {
  const system = await startSystem({ t });
  const { url } = system;
  const load = startOrderLoad({ url, orders: await readRealOrders(), perSecond: 80, name: 'stop' });
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    await simulate(system.providerUrl, { latencyMs: 100, latencyJitterMs: 200 });
    const before = load.accepted.length;
    await until('orders to be accepted', 15, () => load.accepted.length >= before + 80);
    const members = system.processes().map(({ pid }) => pid);
    assert.ok(members.length > 3, `only ${members} belong to the system`);
    const { code, ms } = await system.stop(signal);
    t.diagnostic(`${signal} under load: ended after ${Math.round(ms)} ms`);
    assert.equal(code, 0, `${signal}: exit code ${code}`);
    assert.ok(ms < 10_000, `${signal}: ${ms} ms`);
    const left = livingProcesses().filter(({ pid }) => members.includes(pid));
    assert.deepEqual(left, [], `${signal} left processes behind`);
    for (const port of system.ports)
      assert.ok(await isFree(port), `${signal}: somebody still listens on ${port}`);
    await system.start();
  }
  await load.stop();
  assert.equal(load.accepted.length, load.sent.length);
  await until('all orders to be Shipped', 60, async () =>
    (await readOrders(url)).every(({ status }) => status === 'Shipped'),
  );
  const found = reconcile(load.sent, await readOrders(url), await readLedger(system.providerUrl));
  assert.deepEqual(found, { lost: [], doubled: [], stuck: [], orphans: [] });
});

test('After SIGTERM a load balancer is told first: the port still answers for DRAIN_SECONDS, and no order is refused', async (t) => {
  const system = await startSystem({ t, env: { DRAIN_SECONDS: '4' } });
  const { url, fulfillmentUrl } = system;
  let stopped = false;
  const orderIds: string[] = [];
  const stopping = system.stop('SIGTERM').finally(() => {
    stopped = true;
  });
  for (const base of [url, fulfillmentUrl])
    await until(`${base} to say so`, 1, async () => {
      const { status, body } = await call('GET', `${base}/health/ready`);
      return status === 503 && body.code === 'stopping';
    });
  // A balancer that asks every two seconds sends orders for that long.
  const end = performance.now() + 2_000;
  while (performance.now() < end) {
    const answer = await post(url, anOrderOf('product-456'));
    assert.equal(answer.status, 201, answer.text);
    assert.equal(answer.headers.connection, 'close');
    orderIds.push(answer.body.orderId);
  }
  assert.equal((await call('GET', `${url}/health/live`)).status, 200);
  assert.equal(stopped, false);
  const { code, ms } = await stopping;
  assert.equal(code, 0);
  assert.ok(ms >= 4_000 && ms < 14_000, `${ms} ms`);
  await system.start();
  for (const orderId of orderIds.slice(-5)) await untilOrder(url, orderId, 'Shipped');
});

test('A call to the provider that never ends does not hold up the stop', async (t) => {
  const system = await startSystem({ t, env: { SHIPPING_TIMEOUT_SECONDS: '60' } });
  await place(system.url, anOrderOf('TEST-HANG'));
  await until('the order to be picked up', 10, async () => {
    const [order] = await readOrders(system.url);
    return order?.fulfillment != null;
  });
  const { code, ms } = await system.stop('SIGTERM');
  t.diagnostic(`ended after ${Math.round(ms)} ms`);
  assert.equal(code, 0);
  assert.ok(ms < 10_000, `${ms} ms`);
});

test('A restart, after a stop or after kill -9, keeps every order unchanged', async (t) => {
  const system = await startSystem({ t });
  const { url } = system;
  const load = startOrderLoad({
    url,
    orders: await readRealOrders(),
    perSecond: 100,
    name: 'keep',
  });
  await until('orders to be accepted', 15, () => load.accepted.length >= 60);
  await load.stop();
  const refused = await place(url, anOrderOf('TEST-REFUSE'));
  await untilOrder(url, refused, 'Failed');
  const ids = [refused, ...load.accepted.map(({ orderId }) => String(orderId))];
  for (const orderId of ids.slice(1)) await untilOrder(url, orderId, 'Shipped', 30);
  const readAll = () => Promise.all(ids.map((orderId) => readOrder(url, orderId)));
  const [orders, list] = [await readAll(), await readOrders(url)];
  const ends = [
    () => system.stop('SIGTERM'),
    () => system.kill('everything'),
    () => system.kill('node'),
  ];
  for (const end of ends) {
    await end();
    await system.start();
    assert.deepEqual(await readAll(), orders);
    assert.deepEqual(await readOrders(url), list);
  }
});
