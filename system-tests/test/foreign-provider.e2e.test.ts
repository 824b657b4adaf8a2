import assert from 'node:assert/strict';
import { after, type TestContext, test } from 'node:test';
import { anOrder, place, readOrder, untilOrder } from '@orders/lab/kit/orders';
import {
  type Reaction,
  type ScriptedProvider,
  shipmentOf,
  startScriptedProvider,
} from '@orders/lab/kit/scripted-provider';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';

const provider = await startScriptedProvider();
after(() => provider.close());
const { url } = await startSystem({
  env: {
    SHIPPING_BASE_URL: provider.url,
    SHIPPING_TIMEOUT_SECONDS: '1',
    SHIPPING_ATTEMPTS_MAX: '2',
    SHIPPING_SETTLE_SECONDS: '1',
    SHIPPING_BACKOFF_MS: '100',
    SHIPPING_BACKOFF_MAX_MS: '300',
  },
});

type Script = Partial<Pick<ScriptedProvider, 'onPost' | 'onLookUp'>>;

/**
 * Places an order that the provider treats like this until the test is over; then it ships
 * everything, which closes the breaker.
 */
async function placeWith(t: TestContext, script: Script): Promise<string> {
  Object.assign(provider, { onLookUp: () => ({ status: 404 }), ...script });
  t.after(() => {
    provider.onPost = (reference) => ({ status: 201, body: shipmentOf(reference) });
    provider.onLookUp = (reference) => ({ status: 200, body: shipmentOf(reference) });
  });
  return await place(url, anOrder());
}
const timesOf = (calls: string[], orderId: string) =>
  calls.filter((reference) => reference === orderId).length;

test('While nobody can tell whether it was booked, an order stays Retrying beyond its last attempt, and is not sent again', async (t) => {
  // The first sending is turned away and counts, the second, the last one allowed, is cut off.
  const onPost = (reference: string): Reaction =>
    timesOf(provider.posts, reference) === 1 ? { status: 503 } : 'cut';
  const orderId = await placeWith(t, { onPost, onLookUp: () => ({ status: 500 }) });
  await until('five look-ups without an answer', 20, async () => {
    assert.ok((await readOrder(url, orderId)).status !== 'Failed');
    return timesOf(provider.lookUps, orderId) >= 5;
  });
  const { status, fulfillment } = await readOrder(url, orderId);
  assert.deepEqual(
    [status, fulfillment?.attempts, timesOf(provider.posts, orderId)],
    ['Retrying', 2, 2],
  );
  provider.onLookUp = (reference) => ({ status: 200, body: shipmentOf(reference) });
  const shipped = await untilOrder(url, orderId, 'Shipped', 20);
  assert.equal(shipped.fulfillment?.trackingNumber, `SP-${orderId}`);
  assert.equal(timesOf(provider.posts, orderId), 2);
});

test('An order that is not found at the provider is sent again only after the settle time', async (t) => {
  const sentAt: number[] = [];
  const orderId = await placeWith(t, {
    onPost: (reference): Reaction => {
      sentAt.push(performance.now());
      return sentAt.length === 1 ? 'cut' : { status: 201, body: shipmentOf(reference) };
    },
  });
  const { fulfillment } = await untilOrder(url, orderId, 'Shipped', 20);
  assert.equal(fulfillment?.attempts, 2);
  const waitedMs = (sentAt[1] ?? 0) - (sentAt[0] ?? 0);
  assert.ok(waitedMs >= 950, `sent again after ${waitedMs} ms`);
  assert.ok(timesOf(provider.lookUps, orderId) >= 1);
});

for (const status of [401, 402, 403, 404, 405, 407, 410]) {
  test(`A ${status} to a sending means that we are misconfigured: no attempt is counted, the order never fails, and ships once it is cured`, async (t) => {
    const orderId = await placeWith(t, { onPost: () => ({ status }) });
    const open = await untilOrder(url, orderId, 'Retrying');
    assert.equal(open.fulfillment?.attempts, 0, JSON.stringify(open));
    await until('a second try', 20, () => timesOf(provider.posts, orderId) >= 2);
    assert.equal((await readOrder(url, orderId)).status, 'Retrying');
    provider.onPost = (reference) => ({ status: 201, body: shipmentOf(reference) });
    await untilOrder(url, orderId, 'Shipped', 30);
  });
}

const unclear: Record<string, Reaction> = {
  'a 201 without a tracking number': { status: 201, body: { carrier: 'x' } },
  'a 200 that is no JSON object': { status: 200, body: 'booked' },
  'a 500': { status: 500 },
  'a 502': { status: 502 },
  'a 408': { status: 408 },
  'a 409': { status: 409 },
};
for (const [name, reaction] of Object.entries(unclear)) {
  test(`After ${name} the provider is asked before anything is sent again`, async (t) => {
    const onLookUp = (reference: string) => ({ status: 200, body: shipmentOf(reference) });
    const orderId = await placeWith(t, { onPost: () => reaction, onLookUp });
    await untilOrder(url, orderId, 'Shipped', 20);
    assert.deepEqual(
      [timesOf(provider.posts, orderId), timesOf(provider.lookUps, orderId) >= 1],
      [1, true],
    );
  });
}

for (const status of [400, 413, 422]) {
  test(`A ${status} is a refusal: Failed with the provider's words, sent once`, async (t) => {
    const body = {
      type: 'about:blank',
      title: 'Refused',
      status,
      detail: `No parcels of kind ${status}`,
    };
    const orderId = await placeWith(t, { onPost: () => ({ status, body }) });
    const { fulfillment } = await untilOrder(url, orderId, 'Failed', 20);
    assert.match(String(fulfillment?.errorMessage), new RegExp(`No parcels of kind ${status}`));
    assert.equal(timesOf(provider.posts, orderId), 1);
  });
}
