import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { OrderView } from '@orders/contracts/orders/api';
import type { OrderChange, Timeline } from '@orders/contracts/orders/history';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until, within } from '@orders/platform/test/kit/until';
import { fulfillmentEvent } from '../fulfillment-events.ts';
import { runningService } from '../running-service.ts';

const postgres = await startTestPostgres();
const shipped = { trackingNumber: 'T', carrier: 'C', shippedAt: '2026-01-20T21:09:00.000Z' };

/** Follows a stream; `events` are what has come of it. */
async function follow(t: TestContext, url: string, headers: Record<string, string> = {}) {
  const leaving = new AbortController();
  t.after(() => leaving.abort());
  const response = await within(
    'the stream',
    fetch(url, { headers, signal: leaving.signal }),
    5_000,
  );
  const stream = { response, text: '', isOver: false, leave: () => leaving.abort() };
  const read = async (): Promise<void> => {
    try {
      for await (const chunk of response.body ?? []) stream.text += Buffer.from(chunk).toString();
    } catch (error) {
      if (!leaving.signal.aborted) throw error;
    } finally {
      stream.isOver = true;
    }
  };
  const reading = read();
  const fields = (name: string): string[] =>
    [...stream.text.matchAll(new RegExp(`^${name}: (.*)$`, 'gm'))].map(([, value]) => value ?? '');
  return {
    ...stream,
    reading,
    fields,
    isOver: () => stream.isOver,
    events: () => fields('data').map((data) => JSON.parse(data) as OrderChange),
  };
}

test('a stream of one order begins with its present state and ends with its final one, whichever instance projects', async (t) => {
  const [a, b] = [await runningService(t, postgres), await runningService(t, postgres)];
  const orderId = await a.place();
  const stream = await follow(t, `${b.url}/api/orders/${orderId.toUpperCase()}/events`);
  assert.equal(stream.response.headers.get('content-type'), 'text/event-stream');
  assert.equal(stream.response.headers.get('cache-control'), 'no-store');
  await until('the present state', () => stream.events().length === 1);
  await a.publish(fulfillmentEvent(orderId, 1, 'Processing'));
  await until('Processing', () => stream.events().length === 2);
  await a.publish(fulfillmentEvent(orderId, 2, 'Shipped', shipped));
  await within('its end', stream.reading, 5_000);
  const events = stream.events();
  assert.deepEqual(
    events.map(({ status }) => status),
    ['Created', 'Processing', 'Shipped'],
  );
  const { updatedAt } = (await b.ask<OrderView>('GET', `/${orderId}`)).body;
  assert.deepEqual(events.at(-1), {
    orderId,
    status: 'Shipped',
    publishFailed: false,
    updatedAt,
    cancellation: null,
    fulfillment: {
      status: 'Shipped',
      ...shipped,
      errorMessage: null,
      attempts: 1,
      nextAttemptAt: null,
    },
  });
  assert.deepEqual(stream.fields('event'), ['order', 'order', 'order']);
  assert.equal(stream.fields('retry').length, 1);
  const again = await follow(t, `${b.url}/api/orders/${orderId}/events`);
  await within('its end', again.reading, 5_000);
  assert.deepEqual(again.events(), events.slice(-1));
  const seen = { 'last-event-id': again.fields('id')[0] ?? '' };
  assert.equal(
    (await follow(t, `${b.url}/api/orders/${orderId}/events`, seen)).response.status,
    204,
  );
});

test('a stream of all orders tells of one customer where that is asked for, and of requests to cancel', async (t) => {
  const { url, place, publish, ask } = await runningService(t, postgres);
  const all = await follow(t, `${url}/api/orders/events`);
  const some = await follow(
    t,
    `${url}/api/orders/events?customerId=${encodeURIComponent("a'b ü")}`,
  );
  const [mine, other] = [await place({ customerId: "a'b ü" }), await place()];
  await ask('POST', `/${mine}/cancel`);
  await publish(fulfillmentEvent(other, 1, 'Shipped'));
  await until('the cancellation', () =>
    some.events().some(({ cancellation }) => cancellation !== null),
  );
  await until('the other', () =>
    all.events().some(({ orderId, status }) => orderId === other && status === 'Shipped'),
  );
  assert.ok(some.events().every(({ orderId }) => orderId === mine));
  assert.deepEqual(new Set(all.events().map(({ orderId }) => orderId)), new Set([mine, other]));
});

test('streams of what is not there are refused, and of their path only GET is known', async (t) => {
  const { ask, place } = await runningService(t, postgres);
  const missing = await ask('GET', '/0190c8a0-0000-7000-8000-000000000000/events');
  assert.deepEqual([missing.status, missing.body.code], [404, 'order_not_found']);
  assert.equal((await ask('GET', '/42/events')).status, 400);
  assert.equal((await ask('GET', '/events?limit=1')).status, 400);
  const orderId = await place();
  for (const path of ['/events', `/${orderId}/events`])
    assert.equal((await ask('HEAD', path)).status, 405);
});

test('a client that waits is answered when another instance has shipped the order, or nothing else can come', async (t) => {
  const [a, b] = [await runningService(t, postgres), await runningService(t, postgres)];
  const [orderId, other] = [await a.place(), await a.place()];
  const waitFor = (id: string, status: string, seconds: number) =>
    b.ask<OrderView>('GET', `/${id}?waitFor=${status}&timeoutSeconds=${seconds}`);
  const waiting = [
    waitFor(orderId, 'Shipped', 10),
    waitFor(other, 'Shipped', 10),
    waitFor(other, 'Failed', 10),
  ];
  const early = await waitFor(orderId, 'Shipped', 0.2);
  assert.deepEqual([early.status, early.body.status], [200, 'Created']);
  await a.publish(fulfillmentEvent(orderId, 1, 'Shipped'), fulfillmentEvent(other, 1, 'Failed'));
  const answers = await within('the answers', Promise.all(waiting), 5_000);
  assert.deepEqual(
    answers.map(({ body }) => body.status),
    ['Shipped', 'Failed', 'Failed'],
  );
  assert.deepEqual(answers[0]?.body.items, [{ productId: 'p', quantity: 2, unitPrice: 19.99 }]);
  assert.equal(
    (await within('what is past', waitFor(orderId, 'Processing', 60), 2_000)).body.status,
    'Shipped',
  );
  for (const query of [
    'waitFor=Done',
    'waitFor=Shipped&timeoutSeconds=61',
    'timeoutSeconds=x',
    'waitfor=Shipped',
  ]) {
    assert.equal((await b.ask('GET', `/${orderId}?${query}`)).status, 400, query);
  }
});

test('closing the service answers who waits and ends the streams', async (t) => {
  const { service, url, ask, place } = await runningService(t, postgres);
  const orderId = await place();
  const streams = [
    await follow(t, `${url}/api/orders/events`),
    await follow(t, `${url}/api/orders/${orderId}/events`),
  ];
  await until('the present state', () => streams[1]?.events().length === 1);
  const waiting = ask<OrderView>('GET', `/${orderId}?waitFor=Shipped&timeoutSeconds=60`);
  // Both go through the loop that tells; a second stream that has begun shows that the waiter has
  // too.
  const late = await follow(t, `${url}/api/orders/${orderId}/events`);
  await until('the present state', () => late.events().length === 1);
  const stopping = service.stopTaking();
  const { status, body } = await within('the answer', waiting, 5_000);
  assert.deepEqual([status, body.status], [200, 'Created']);
  for (const stream of [...streams, late]) await within('its end', stream.reading, 5_000);
  await within('the end', stopping, 10_000);
});

test('a timeline tells what happened, and whether the order is published', async (t) => {
  const { ask, place, publish, goDeaf, listen } = await runningService(t, postgres);
  await goDeaf();
  const orderId = await place();
  const read = async () => (await ask<Timeline>('GET', `/${orderId}/timeline`)).body;
  const { createdAt } = (await ask<OrderView>('GET', `/${orderId}`)).body;
  const accepted = { at: createdAt, kind: 'accepted' };
  assert.deepEqual(await read(), { orderId, published: false, entries: [accepted] });
  await listen();
  await until('it is published', async () => (await read()).published, 20_000);
  const started = fulfillmentEvent(orderId, 1, 'Processing');
  const failedAttempts = [
    { at: new Date().toISOString(), outcome: 'not_booked', error: 'busy', durationMs: 3 },
  ];
  const nextAttemptAt = new Date(Date.now() + 60_000).toISOString();
  const retrying = { failedAttempts, nextAttemptAt, startedAt: started.occurredAt };
  await publish(started, fulfillmentEvent(orderId, 2, 'Retrying', retrying));
  const { entries } = await read();
  assert.deepEqual(
    entries.map(({ kind }) => kind),
    ['accepted', 'picked_up', 'attempt', 'retry_planned'],
  );
  assert.deepEqual(entries.at(2), { ...failedAttempts[0], kind: 'attempt' });
  assert.equal((await ask('GET', '/0190c8a0-0000-7000-8000-000000000000/timeline')).status, 404);
});
