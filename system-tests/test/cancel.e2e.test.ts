import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OrderView } from '@orders/contracts/orders/api';
import type { Timeline } from '@orders/contracts/orders/history';
import { call } from '@orders/lab/kit/http';
import { anOrder, anOrderOf, place, readOrder, untilOrder } from '@orders/lab/kit/orders';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { startSystem } from '@orders/lab/kit/started-system';

const { url, providerUrl } = await startSystem({
  env: {
    SHIPPING_TIMEOUT_SECONDS: '1',
    SHIPPING_SETTLE_SECONDS: '1',
    SHIPPING_BACKOFF_MS: '100',
    SHIPPING_BACKOFF_MAX_MS: '300',
    SHIPPING_ATTEMPTS_MAX: '100',
  },
});

const cancel = (orderId: string, json?: unknown) =>
  call<OrderView & { code?: string }>(
    'POST',
    `${url}/api/orders/${orderId}/cancel`,
    json === undefined ? {} : { json },
  );

for (const product of ['TEST-DOWN', 'TEST-HANG']) {
  test(`An order that the provider does not take (${product}) is cancelled on request and never shipped`, async () => {
    const orderId = await place(url, anOrderOf(product));
    const asked = await cancel(orderId, { reason: 'changed my mind' });
    assert.equal(asked.status, 202, asked.text);
    assert.equal(asked.body.cancellation?.outcome, null);
    const waited = await call<OrderView>(
      'GET',
      `${url}/api/orders/${orderId}?waitFor=Cancelled&timeoutSeconds=20`,
      {
        timeoutMs: 25_000,
      },
    );
    assert.equal(waited.body.status, 'Cancelled', waited.text);
    assert.equal(waited.body.cancellation?.outcome, 'cancelled');
    const { body } = await call<Timeline>('GET', `${url}/api/orders/${orderId}/timeline`);
    const kinds = body.entries.map(({ kind }) => kind);
    assert.equal(kinds.at(0), 'accepted');
    assert.ok(kinds.includes('picked_up') && kinds.includes('cancel_requested'), kinds.join());
    assert.equal(kinds.at(-1), 'cancelled');
    const again = await cancel(orderId);
    assert.deepEqual([again.status, again.body.code], [409, 'order_final']);
    assert.equal((await readLedger(providerUrl)).get(orderId)?.bookings ?? 0, 0);
  });
}

test('A shipped order cannot be cancelled', async () => {
  const orderId = await place(url, anOrder());
  await untilOrder(url, orderId, 'Shipped');
  const late = await cancel(orderId, {});
  assert.deepEqual([late.status, late.body.code], [409, 'order_final']);
  assert.equal((await readOrder(url, orderId)).cancellation, null);
});

test('A hundred orders that are cancelled while they ship are either shipped once or cancelled, never both', async () => {
  const orderIds = await Promise.all(Array.from({ length: 100 }, () => place(url, anOrder())));
  const answers = await Promise.all(orderIds.map((orderId) => cancel(orderId)));
  for (const { status, text } of answers) assert.ok(status === 202 || status === 409, text);
  const ledger = () => readLedger(providerUrl);
  for (const orderId of orderIds) {
    const waited = await call<OrderView>(
      'GET',
      `${url}/api/orders/${orderId}?waitFor=Shipped&timeoutSeconds=20`,
      {
        timeoutMs: 25_000,
      },
    );
    const { status, cancellation } = waited.body;
    assert.ok(status === 'Shipped' || status === 'Cancelled', waited.text);
    if (cancellation !== null)
      assert.equal(cancellation.outcome, status === 'Cancelled' ? 'cancelled' : 'too_late');
    const bookings = (await ledger()).get(orderId)?.bookings ?? 0;
    assert.equal(bookings, status === 'Shipped' ? 1 : 0, waited.text);
  }
});
