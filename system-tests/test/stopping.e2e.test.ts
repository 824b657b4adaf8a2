import assert from 'node:assert/strict';
import { test } from 'node:test';
import { livingProcesses } from '@orders/embedded/processes/process-table';
import { isFree } from '@orders/embedded/processes/server-port';
import { anOrderOf, place, readOrder, readOrders, untilOrder } from '@orders/lab/kit/orders';
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
