import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import {
  cancelRequested,
  fulfillmentTables,
  newIds,
  orderCreated,
  orderEvent,
} from '../fulfillment-instance.ts';
import { oneOrder } from '../one-order.ts';
import { type Answer, scriptedProvider, shipment } from '../scripted-provider.ts';

const postgres = await startTestPostgres();
const found = (trackingNumber: string): Answer =>
  ({ ...(shipment(trackingNumber) as object), status: 200 }) as Answer;
const gateway404: Answer = {
  status: 404,
  body: 'default backend - 404',
  headers: { 'content-type': 'text/html' },
};

test("I8: a gateway's own 404 is no answer: no second sending, no cancellation, and the booking is found later", async (t) => {
  const { provider, begin, untilState, row, id, instance } = await oneOrder(t, postgres);
  provider.post = async () => 'drop';
  provider.lookUp = async () => gateway404;
  await begin();
  await until('it was looked up', () => provider.lookUps().length >= 3);
  await instance.handle([orderEvent(cancelRequested(id))]);
  const lookUps = provider.lookUps().length;
  await until('it is looked up on', () => provider.lookUps().length >= lookUps + 3);
  assert.partialDeepStrictEqual(await row(), { state: 'Retrying', attempts: 1 });
  provider.lookUp = async () => found('BOOKED');
  await untilState('Shipped');
  assert.equal(provider.posts().length, 1);
});

test("another order's shipment is never adopted, neither from a POST nor from a look-up", async (t) => {
  const { provider, begin, untilState, row, instance } = await oneOrder(t, postgres);
  const stranger = shipment('STRANGER', { reference: 'another-order' });
  provider.post = async () => stranger;
  provider.lookUp = async () => stranger;
  await begin();
  await until('it was looked up', () => provider.lookUps().length >= 3);
  assert.partialDeepStrictEqual(await row(), { state: 'Retrying', tracking_number: null });
  assert.match(
    await instance.metrics.registry.metrics(),
    /shipping_foreign_answers_total\S* [3-9]/,
  );
  provider.lookUp = async () => found('OURS');
  await untilState('Shipped');
  assert.partialDeepStrictEqual(await row(), { tracking_number: 'OURS' });
  assert.equal(provider.posts().length, 1);
});

test('a refusal of the second sending is looked up: what the first has booked is adopted', async (t) => {
  const { provider, begin, untilState, row } = await oneOrder(t, postgres);
  provider.post = async (_ask, count) =>
    count === 1 ? 'drop' : { status: 422, body: { detail: 'already exists' } };
  provider.lookUp = async () =>
    provider.posts().length === 1 ? { status: 404 } : found('BOOKED AT FIRST');
  await begin();
  await untilState('Shipped');
  assert.partialDeepStrictEqual(await row(), { tracking_number: 'BOOKED AT FIRST', attempts: 2 });
});

test('a refusal after an unknown outcome fails once a settled look-up finds nothing', async (t) => {
  const { provider, begin, untilState, row } = await oneOrder(t, postgres);
  provider.post = async (_ask, count) =>
    count === 1 ? 'drop' : { status: 422, body: { detail: 'no such country' } };
  await begin();
  await untilState('Failed');
  assert.partialDeepStrictEqual(await row(), { error: 'no such country', attempts: 2 });
  assert.equal(provider.posts().length, 2);
});

test('429 for everybody pauses all calls, fails nobody, and all ship soon after it ends', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, sql } = await fulfillmentTables(t, postgres);
  let isLimited = true;
  provider.post = async ({ reference }) =>
    isLimited ? { status: 429, headers: { 'retry-after': '3600' } } : shipment(`T-${reference}`);
  const policy = { attemptsMax: null, backoffMaxMs: 300 };
  const a = instanceOf('a', { providerUrl: provider.url, policy });
  a.start();
  await a.handle(newIds(60).map((id) => orderEvent(orderCreated(id))));
  await until('some probes were sent', () => provider.posts().length >= 12);
  const [first, last] = [provider.posts()[8], provider.posts().at(-1)];
  assert.ok(Number(last?.at) - Number(first?.at) > 600, 'one probe a pause');
  assert.match(await a.metrics.registry.metrics(), /shipping_paused_seconds\S* 0\.[0-9]/);
  assert.equal((await sql("SELECT FROM fulfillments WHERE state = 'Failed'")).length, 0);
  assert.equal(a.breaker.view().state, 'closed');
  isLimited = false;
  const shipped = "SELECT FROM fulfillments WHERE state = 'Shipped'";
  await until('all are shipped', async () => (await sql(shipped)).length === 60, 15_000);
});

test('orders that the provider refused to look at are due at once when it is back', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, sql } = await fulfillmentTables(t, postgres);
  let isDown = true;
  provider.post = async ({ reference }) => (isDown ? { status: 401 } : shipment(`T-${reference}`));
  const policy = { attemptsMax: null, backoffMs: 600_000, backoffMaxMs: 600_000 };
  const a = instanceOf('a', { providerUrl: provider.url, policy });
  a.start();
  await a.handle(newIds(40).map((id) => orderEvent(orderCreated(id))));
  const waiting = "SELECT FROM fulfillments WHERE state = 'Retrying'";
  await until('all wait', async () => (await sql(waiting)).length === 40, 15_000);
  assert.match(String((await sql('SELECT error FROM fulfillments'))[0]?.error), /401/);
  isDown = false;
  await a.handle([
    orderEvent(orderCreated()),
    orderEvent(orderCreated()),
    orderEvent(orderCreated()),
  ]);
  const shipped = "SELECT FROM fulfillments WHERE state = 'Shipped'";
  await until('all are shipped', async () => (await sql(shipped)).length === 43, 20_000);
});

test('look-ups that fail keep no new order from being sent', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, sql, stateOf } = await fulfillmentTables(t, postgres);
  const lost = new Set(newIds(30));
  provider.post = async ({ reference }) => (lost.has(reference) ? 'drop' : shipment(reference));
  provider.lookUp = async () => ({ status: 500 });
  const a = instanceOf('a', { providerUrl: provider.url, policy: { attemptsMax: null } });
  a.start();
  for (const id of lost) {
    await a.handle([orderEvent(orderCreated(id))]);
    const [other = ''] = newIds(1);
    await a.handle([orderEvent(orderCreated(other))]);
    await until('the other is shipped', async () => (await stateOf(other)) === 'Shipped');
  }
  await until('look-ups rest', async () =>
    /circuit_breaker_state\{name="shipping_look_up"\S* [12]/.test(
      await a.metrics.registry.metrics(),
    ),
  );
  assert.equal((await sql("SELECT FROM fulfillments WHERE state = 'Failed'")).length, 0);
});

test('a hold is stored with the order: an instance without the setting sends nothing again, and publishes nothing', async (t) => {
  const { provider, begin, row, instance, instanceOf, told, id } = await oneOrder(t, postgres, {
    policy: { unknownOutcome: 'hold' },
  });
  provider.post = async () => 'drop';
  await begin();
  await until('it is held', async () => (await row())?.held === true);
  await instance.stop();
  const events = told(id).length;
  const without = instanceOf('b', { providerUrl: provider.url });
  without.start();
  const lookUps = provider.lookUps().length;
  await until('it is looked up on', () => provider.lookUps().length >= lookUps + 4);
  assert.equal(provider.posts().length, 1);
  assert.equal(told(id).length, events, 'nothing new is published');
  assert.partialDeepStrictEqual(await row(), { state: 'Retrying', held: true });
});

test('where the clock of the database has stepped forward, a claim that waited for its call is not sent', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, row, sql } = await fulfillmentTables(t, postgres);
  const answer = Promise.withResolvers<Answer>();
  provider.post = () => answer.promise;
  const a = instanceOf('a', { providerUrl: provider.url, concurrency: 1, timeoutMs: 10_000 });
  const [first = '', second = ''] = newIds(2);
  await a.handle([orderEvent(orderCreated(first)), orderEvent(orderCreated(second))]);
  const claimed = await a.store.claimDue(
    { itemsMax: 2, bytesMax: 1_000_000 },
    { leaseMs: 15_000, settleMs: 0 },
  );
  const before = { steadyMs: performance.now() - 1_000, wallMs: Date.now() };
  a.pace.take(claimed, before);
  await until('the first is called', () => provider.posts().length === 1);
  await sql("UPDATE fulfillments SET due_at = due_at - interval '20 s' WHERE order_id = $1", [
    claimed[1]?.orderId,
  ]);
  answer.resolve(shipment('T1'));
  await until('the second is handed back', async () => {
    return (await row(String(claimed[1]?.orderId)))?.claimed_by === null;
  });
  assert.equal(provider.posts().length, 1);
});
