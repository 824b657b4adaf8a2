import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OrderView } from '@orders/contracts/orders/api';
import type { OrderChange, Timeline } from '@orders/contracts/orders/history';
import { call } from '@orders/lab/kit/http';
import { anOrder, anOrderOf, place } from '@orders/lab/kit/orders';
import { startSystem } from '@orders/lab/kit/started-system';

const { url } = await startSystem({
  env: { SHIPPING_BACKOFF_MS: '100', SHIPPING_BACKOFF_MAX_MS: '300' },
});

const wait = (orderId: string, status: string) =>
  call<OrderView>('GET', `${url}/api/orders/${orderId}?waitFor=${status}&timeoutSeconds=15`, {
    timeoutMs: 20_000,
  });

test('A client that waits for Shipped gets the shipped order in one call', async () => {
  const orderIds = await Promise.all(Array.from({ length: 50 }, () => place(url, anOrder())));
  const answers = await Promise.all(orderIds.map((orderId) => wait(orderId, 'Shipped')));
  for (const { status, body, text } of answers)
    assert.deepEqual([status, body.status], [200, 'Shipped'], text);
});

test('A stream of one order never goes back and ends when it is final', async () => {
  const orderId = await place(url, anOrderOf('TEST-FLAKY-2'));
  const { status, headers, text } = await call('GET', `${url}/api/orders/${orderId}/events`, {
    timeoutMs: 20_000,
  });
  assert.deepEqual([status, headers['content-type']], [200, 'text/event-stream']);
  const events = [...text.matchAll(/^data: (.*)$/gm)].map(
    ([, data]) => JSON.parse(String(data)) as OrderChange,
  );
  assert.equal(events.at(-1)?.status, 'Shipped', text);
  assert.equal(events.at(-1)?.fulfillment?.attempts, 3);
  const order = ['Created', 'Processing', 'Retrying', 'Shipped'];
  const steps = events.map((event) => order.indexOf(event.status));
  assert.deepEqual(steps, steps.toSorted(), text);
});

test('A timeline tells how a flaky provider was asked three times', async () => {
  const orderId = await place(url, anOrderOf('TEST-FLAKY-2'));
  await wait(orderId, 'Shipped');
  const { body, text } = await call<Timeline>('GET', `${url}/api/orders/${orderId}/timeline`);
  const kinds = body.entries.map(({ kind }) => kind);
  assert.deepEqual(
    kinds,
    ['accepted', 'published', 'picked_up', 'attempt', 'attempt', 'shipped'],
    text,
  );
  assert.deepEqual(body.published, true);
  for (const { kind, outcome } of body.entries)
    if (kind === 'attempt') assert.equal(outcome, 'not_booked');
});
