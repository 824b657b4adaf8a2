import assert from 'node:assert/strict';
import { test } from 'node:test';
import { anOrder, anOrderOf, place, readOrder, untilOrder } from '@orders/lab/kit/orders';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';

const system = await startSystem({
  env: {
    SHIPPING_TIMEOUT_SECONDS: '1',
    SHIPPING_BACKOFF_MS: '800',
    SHIPPING_BACKOFF_MAX_MS: '1500',
    SHIPPING_ATTEMPTS_MAX: '4',
  },
});
const { url, providerUrl } = system;
const bookingsOf = async (orderId: string) =>
  (await readLedger(providerUrl)).get(orderId)?.bookings ?? 0;
const postsOf = async (orderId: string) => (await readLedger(providerUrl)).get(orderId)?.posts ?? 0;

test('A refused order becomes Failed with the message of the provider, without a second attempt', async () => {
  const { fulfillment } = await untilOrder(
    url,
    await place(url, anOrderOf('TEST-REFUSE')),
    'Failed',
  );
  assert.equal(fulfillment?.status, 'Failed');
  assert.equal(fulfillment.attempts, 1);
  assert.match(String(fulfillment.errorMessage), /\w/);
  assert.deepEqual(
    [fulfillment.trackingNumber, fulfillment.shippedAt, fulfillment.nextAttemptAt],
    [null, null, null],
  );
});

test('A shipment whose answer was lost is found at the provider and booked only once', async () => {
  const orderId = await place(url, anOrderOf('TEST-LOST-RESPONSE'));
  const { fulfillment } = await untilOrder(url, orderId, 'Shipped');
  assert.equal(await bookingsOf(orderId), 1);
  assert.equal(await postsOf(orderId), 1);
  assert.equal(fulfillment?.attempts, 1);
  assert.equal(
    fulfillment.trackingNumber,
    (await readLedger(providerUrl)).get(orderId)?.trackingNumber,
  );
  assert.equal(fulfillment.errorMessage, null);
});

test('An order that fails twice is shown Retrying meanwhile, with the reason and the next time, and ships at the third attempt', async () => {
  // Several, because the random backoff of a single one may be over before anybody looks.
  const orderIds = await Promise.all(
    Array.from({ length: 4 }, () => place(url, anOrderOf('TEST-FLAKY-2'))),
  );
  const { fulfillment } = await until('an order to be Retrying', 15, async () => {
    const orders = await Promise.all(orderIds.map((orderId) => readOrder(url, orderId)));
    return orders.find(({ status }) => status === 'Retrying');
  });
  assert.equal(fulfillment?.status, 'Retrying');
  assert.match(String(fulfillment.errorMessage), /\w/);
  assert.ok(fulfillment.attempts >= 1 && fulfillment.attempts <= 2, JSON.stringify(fulfillment));
  const waitMs = Date.parse(String(fulfillment.nextAttemptAt)) - Date.now();
  assert.ok(waitMs > -2_000 && waitMs < 10_000, `next attempt in ${waitMs} ms`);
  for (const orderId of orderIds) {
    const shipped = (await untilOrder(url, orderId, 'Shipped', 20)).fulfillment;
    assert.deepEqual(
      [shipped?.attempts, shipped?.errorMessage, shipped?.nextAttemptAt],
      [3, null, null],
    );
    assert.equal(await bookingsOf(orderId), 1);
  }
});

test('An order the provider always sends away becomes Failed when its attempts are used up', async () => {
  const orderId = await place(url, anOrderOf('TEST-DOWN'));
  const { fulfillment } = await untilOrder(url, orderId, 'Failed', 30);
  assert.equal(fulfillment?.attempts, 4);
  assert.match(String(fulfillment.errorMessage), /\w/);
  assert.deepEqual([await postsOf(orderId), await bookingsOf(orderId)], [4, 0]);
});

test('An order whose calls are never answered is Retrying, and others ship meanwhile', async () => {
  const hanging = await place(url, anOrderOf('TEST-HANG'));
  const { fulfillment } = await untilOrder(url, hanging, 'Retrying');
  assert.match(String(fulfillment?.errorMessage), /\w/);
  await untilOrder(url, await place(url, anOrder()), 'Shipped', 5);
  // The look-up after the settle time answers 404: a definite "not booked", and it is sent again.
  await until('a second sending', 15, async () => {
    const order = await readOrder(url, hanging);
    assert.ok(['Retrying', 'Failed'].includes(order.status), JSON.stringify(order));
    return (order.fulfillment?.attempts ?? 0) >= 2;
  });
  assert.equal(await bookingsOf(hanging), 0);
});
