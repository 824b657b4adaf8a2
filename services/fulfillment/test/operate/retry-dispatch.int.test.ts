import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import type { Policy } from '../../src/fulfillment.ts';
import { fulfillmentTables, newIds, orderCreated, orderEvent } from '../fulfillment-instance.ts';
import { scriptedProvider, shipment } from '../scripted-provider.ts';
import { operatorOf } from './operator-instance.ts';

const postgres = await startTestPostgres();
const unavailable = { status: 503, body: { detail: 'come back' } };

/** An order, an instance that dispatches it, and an operator. */
async function oneOrder(t: TestContext, policy: Partial<Policy> = {}) {
  const tables = await fulfillmentTables(t, postgres);
  const provider = await scriptedProvider(t);
  const { handle, start } = tables.instanceOf('a', { providerUrl: provider.url, policy });
  const { retry } = operatorOf(t, tables);
  const [id = ''] = newIds(1);
  const place = async () => {
    start();
    await handle([orderEvent(orderCreated(id))]);
  };
  const untilIs = (state: string) =>
    until(`the order is ${state}`, async () => (await tables.stateOf(id)) === state);
  const asks = () => provider.asked.map(({ method }) => method).join(' ');
  return { ...tables, provider, retry: () => retry({ orderIds: [id] }), id, place, untilIs, asks };
}

test('a retry begins a new count of attempts, and asks for the shipment before the first of them', async (t) => {
  const { provider, place, untilIs, retry, row, id, asks, told } = await oneOrder(t, {
    attemptsMax: 2,
  });
  provider.post = async () => unavailable;
  await place();
  await untilIs('Failed');
  assert.equal(asks(), 'POST POST');
  assert.equal((await retry()).body.touched.length, 1);
  await until(
    'it has failed again',
    async () => (await row(id))?.state === 'Failed' && asks() === 'POST POST GET POST POST',
  );
  assert.partialDeepStrictEqual(await row(id), {
    attempts: 4,
    abandoned: 0,
    attempt_open: false,
    due_at: null,
  });
  provider.post = async () => shipment('T2');
  await retry();
  await untilIs('Shipped');
  assert.equal(asks(), 'POST POST GET POST POST GET POST');
  await until('the events are told', () => told(id).at(-1)?.eventType === 'OrderFulfilled');
  const [failed, retrying] = ['OrderFailed', 'FulfillmentRetrying'];
  assert.deepEqual(
    told(id).map(({ eventType }) => eventType),
    [
      'FulfillmentStarted',
      retrying,
      failed,
      retrying,
      retrying,
      failed,
      retrying,
      'OrderFulfilled',
    ],
  );
});

test('what a retry finds at the provider is adopted and not sent again', async (t) => {
  const { provider, place, untilIs, retry, row, id, asks } = await oneOrder(t);
  provider.post = async () => ({ status: 422, body: { detail: 'no parcels' } });
  await place();
  await untilIs('Failed');
  provider.lookUp = async () => ({ ...(shipment('FOUND') as object), status: 200 });
  await retry();
  await untilIs('Shipped');
  assert.equal(asks(), 'POST GET');
  assert.partialDeepStrictEqual(await row(id), {
    attempts: 1,
    tracking_number: 'FOUND',
    error: null,
  });
});

test('what is waits for an operator is sent again only when one retries it, and once per retry', async (t) => {
  const { provider, place, untilIs, retry, row, id } = await oneOrder(t, {
    unknownOutcome: 'hold',
    settleMs: 50,
  });
  provider.post = async () => 'drop';
  await place();
  const isWaiting = async () => String((await row(id))?.error).includes('waits for an operator');
  /** It is looked up so often here that somebody may just have it in hand. */
  const untilRetried = () =>
    until('it is retried', async () => (await retry()).body.touched.length === 1);
  await until('it waits for an operator', isWaiting);
  assert.equal(provider.posts().length, 1);
  await untilRetried();
  await until('it is sent again', () => provider.posts().length === 2);
  await until('it waits again', async () => (await row(id))?.attempts === 2 && (await isWaiting()));
  const looked = provider.lookUps().length;
  await until('it was looked up three times more', () => provider.lookUps().length >= looked + 3);
  assert.equal(provider.posts().length, 2);
  provider.post = async () => shipment('T3');
  await untilRetried();
  await untilIs('Shipped');
  assert.equal(provider.posts().length, 3);
});

test('a retried order whose cancellation was requested is cancelled, unless the provider has booked it', async (t) => {
  for (const [found, state] of [
    [false, 'Cancelled'],
    [true, 'Shipped'],
  ] as const) {
    const { provider, place, untilIs, retry, sql, id, asks } = await oneOrder(t);
    provider.post = async () => ({ status: 422, body: { detail: 'no parcels' } });
    await place();
    await untilIs('Failed');
    await sql(
      'INSERT INTO cancellations (order_id, source_topic, source_partition, source_offset) VALUES ($1, $2, 0, 9)',
      [id, 'order-events'],
    );
    if (found) provider.lookUp = async () => ({ ...(shipment('FOUND') as object), status: 200 });
    const { touched } = (await retry()).body;
    assert.match(touched[0].whatFollows, /cancelled/);
    await untilIs(state);
    assert.equal(asks(), 'POST GET');
  }
});
