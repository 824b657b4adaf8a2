import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePorts } from '@orders/lab/kit/free-ports';
import { readOrders } from '@orders/lab/kit/orders';
import { reconcile } from '@orders/lab/kit/reconcile';
import { readLedger, startShippingProvider } from '@orders/lab/kit/shipping-provider';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';
import { percentile, startOrderLoad } from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';

test('While the provider is away orders are accepted fast and shown Retrying, and all ship once when it is back', async (t) => {
  const [port = 0] = await freePorts(1);
  const env = {
    SHIPPING_BASE_URL: `http://127.0.0.1:${port}`,
    SHIPPING_ATTEMPTS_MAX: '2',
    SHIPPING_BACKOFF_MS: '200',
    SHIPPING_BACKOFF_MAX_MS: '1000',
  };
  const { url, directory } = await startSystem({ t, env });
  const provider = await startShippingProvider({ port, directory });
  t.after(() => provider.kill());
  const load = startOrderLoad({ url, orders: await readRealOrders(), perSecond: 60, name: 'away' });
  await until('orders before the outage', 10, () => load.accepted.length >= 60);
  await provider.kill();
  const before = load.accepted.length;
  await until('orders during the outage', 20, () => load.accepted.length >= before + 200);
  await load.stop();
  const during = load.accepted.slice(before);
  assert.equal(load.accepted.length, load.sent.length);
  assert.ok(
    percentile(during, 0.95) < 500,
    `p95 of POST during the outage: ${percentile(during, 0.95)} ms`,
  );

  await until('every open order to be Retrying', 15, async () => {
    const orders = await readOrders(url);
    return orders.every(({ status }) => status === 'Retrying' || status === 'Shipped');
  });
  const open = await readOrders(url, { status: 'Retrying' });
  assert.ok(open.length >= during.length, `${open.length} of ${during.length}`);
  for (const { fulfillment } of open) {
    assert.match(String(fulfillment?.errorMessage), /\w/);
    assert.match(String(fulfillment?.nextAttemptAt), /Z$/);
  }

  await provider.start();
  await until('all orders to be Shipped', 60, async () => {
    return (await readOrders(url)).every(({ status }) => status === 'Shipped');
  });
  const found = reconcile(load.sent, await readOrders(url), await readLedger(provider.url));
  assert.deepEqual(found, { lost: [], doubled: [], stuck: [], orphans: [] });
});
