import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RepublishAnswer } from '@orders/contracts/operate/republish';
import type { StuckPage } from '@orders/contracts/operate/stuck';
import { call } from '@orders/lab/kit/http';
import { createOperator } from '@orders/lab/kit/operator';
import { anOrder, place, readOrder, untilOrder } from '@orders/lab/kit/orders';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';

const system = await startSystem({ env: { STUCK_AFTER_SECONDS: '1', SHIPPING_BACKOFF_MS: '100' } });
const { url, fulfillmentUrl, providerUrl } = system;
const operator = createOperator(fulfillmentUrl);

const stuckAt = async (base: string) =>
  (await call<StuckPage>('GET', `${base}/api/stuck`)).body.items;
const gaugeOf = async (base: string, reason: string): Promise<string | undefined> => {
  const { text } = await call('GET', `${base}/metrics`);
  return new RegExp(`stuck_orders\\{reason="${reason}"[^}]*\\} (\\d+)`).exec(text)?.[1];
};

test('What waits behind a breaker that was forced open is stuck for that reason, and no longer when it ships', async () => {
  await operator.force('forced_open');
  await until('the instance to follow', 10, async () => {
    return (await operator.breaker()).instances.some(({ state }) => state === 'open');
  });
  const orderId = await place(url, anOrder());
  await until('the order to be stuck', 30, async () => {
    const found = (await stuckAt(fulfillmentUrl)).find((one) => one.orderId === orderId);
    return found?.reason === 'breaker_open' && found.state === 'Retrying';
  });
  assert.equal(await gaugeOf(fulfillmentUrl, 'breaker_open'), '1');
  assert.equal(await gaugeOf(fulfillmentUrl, 'lease_expired'), '0');
  await operator.force('automatic');
  await untilOrder(url, orderId, 'Shipped');
  await until('nothing to be stuck', 20, async () => {
    return (await stuckAt(fulfillmentUrl)).length === 0 && (await stuckAt(url)).length === 0;
  });
  const told = system.program.lines.filter(
    (line) => line.includes('orders are') && line.includes(orderId),
  );
  assert.ok(
    told.some((line) => line.includes('orders are stuck')),
    told.join('\n'),
  );
  assert.ok(
    told.some((line) => line.includes('orders are no longer stuck')),
    told.join('\n'),
  );
});

test('Events that are published again ship nothing twice and change no order', async () => {
  const orderIds = await Promise.all(Array.from({ length: 5 }, () => place(url, anOrder())));
  for (const orderId of orderIds) await untilOrder(url, orderId, 'Shipped');
  const before = await Promise.all(orderIds.map((orderId) => readOrder(url, orderId)));
  for (const base of [url, fulfillmentUrl]) {
    const json = { orderIds, ratePerSecond: 100, reason: 'tested' };
    const { status, body, text } = await call<RepublishAnswer>(
      'POST',
      `${base}/api/events/republish`,
      {
        json,
        headers: { 'x-operator': 'system test' },
      },
    );
    assert.equal(status, 200, text);
    assert.equal(body.touched.length, 5);
    await until('the copies to be published', 20, async () => {
      const { text: metrics } = await call('GET', `${base}/metrics`);
      return /outbox_unpublished\{[^}]*\} 0\n/.test(metrics);
    });
  }
  assert.deepEqual(await Promise.all(orderIds.map((orderId) => readOrder(url, orderId))), before);
  const ledger = await readLedger(providerUrl);
  for (const orderId of orderIds)
    assert.deepEqual([ledger.get(orderId)?.bookings, ledger.get(orderId)?.posts], [1, 1]);
});
