import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import type { Policy } from '../../src/fulfillment.ts';
import {
  cancelRequested,
  fulfillmentTables,
  newIds,
  orderCreated,
  orderEvent,
  quick,
} from '../fulfillment-instance.ts';
import { type Answer, scriptedProvider, shipment } from '../scripted-provider.ts';

const postgres = await startTestPostgres();
const found = (trackingNumber: string) =>
  ({ ...(shipment(trackingNumber) as object), status: 200 }) as Answer;
/** Far longer than a test: only a cancellation makes such a row due. */
const minute: Answer = { status: 503, headers: { 'retry-after': '60' } };

async function anOrder(
  t: TestContext,
  options: { policy?: Partial<Policy>; concurrency?: number } = {},
) {
  const provider = await scriptedProvider(t);
  const tables = await fulfillmentTables(t, postgres);
  const [id = ''] = newIds(1);
  const a = tables.instanceOf('a', { providerUrl: provider.url, timeoutMs: 10_000, ...options });
  a.start();
  const order = (orderId = id) => orderEvent(orderCreated(orderId));
  const cancel = (orderId = id) => orderEvent(cancelRequested(orderId));
  const untilState = (state: string, withinMs = 5_000) =>
    until(`it is ${state}`, async () => (await tables.stateOf(id)) === state, withinMs);
  const untilTold = async (...types: string[]) => {
    await until(`${types} are told`, () => tables.told(id).length >= types.length);
    assert.deepEqual(
      tables.told(id).map(({ eventType, sequence }) => [sequence, eventType]),
      types.map((type, i) => [i + 1, type]),
    );
  };
  return {
    ...tables,
    provider,
    id,
    a,
    order,
    cancel,
    untilState,
    untilTold,
    row: () => tables.row(id),
    rowOf: tables.row,
  };
}

test('an order that waits for its next attempt is cancelled at once, and nothing is sent any more', async (t) => {
  const { provider, a, order, cancel, untilState, untilTold, row, sql } = await anOrder(t);
  provider.post = async () => minute;
  await a.handle([order()]);
  await untilState('Retrying');
  await a.handle([cancel()]);
  await untilState('Cancelled');
  await untilTold('FulfillmentStarted', 'FulfillmentRetrying', 'OrderCancelled');
  assert.partialDeepStrictEqual(await row(), {
    attempts: 1,
    attempt_open: false,
    due_at: null,
    claimed_by: null,
  });
  assert.equal(provider.asked.length, 1);
  assert.partialDeepStrictEqual((await sql('SELECT * FROM cancellations'))[0], {
    reason: 'changed my mind',
    source_topic: 'order-events',
    source_partition: 5,
  });
});

for (const [name, inOneBatch] of [
  ['that comes before its order', false],
  ['that comes with its order', true],
] as const) {
  test(`a request to cancel ${name} is right: it is picked up, cancelled, and never sent`, async (t) => {
    const { provider, a, order, cancel, untilState, untilTold, row } = await anOrder(t);
    await until('new orders would be handed over', () => a.pace.room() > 0);
    if (inOneBatch) await a.handle([cancel(), order(), cancel()]);
    else {
      await a.handle([cancel()]);
      await a.handle([order()]);
    }
    await untilState('Cancelled');
    await untilTold('FulfillmentStarted', 'OrderCancelled');
    assert.equal(provider.asked.length, 0);
    assert.equal((await row())?.attempts, 0);
  });
}

test('while its call is in flight the answer decides: shipped stays shipped', async (t) => {
  const { provider, a, order, cancel, untilState, row } = await anOrder(t);
  const answer = Promise.withResolvers<Answer>();
  provider.post = () => answer.promise;
  await a.handle([order()]);
  await until('it is called', () => provider.posts().length === 1);
  await a.handle([cancel()]);
  assert.partialDeepStrictEqual(await row(), { cancel_requested: true, attempt_open: true });
  answer.resolve(shipment('T1'));
  await untilState('Shipped');
  await a.handle([cancel()]);
  assert.equal((await row())?.state, 'Shipped');
});

test('while its call is in flight the answer decides: not booked is cancelled at once, whatever the provider asks to wait', async (t) => {
  const { provider, a, order, cancel, untilState, untilTold } = await anOrder(t);
  const answer = Promise.withResolvers<Answer>();
  provider.post = () => answer.promise;
  await a.handle([order()]);
  await until('it is called', () => provider.posts().length === 1);
  await a.handle([cancel()]);
  answer.resolve(minute);
  await untilState('Cancelled');
  await untilTold('FulfillmentStarted', 'FulfillmentRetrying', 'OrderCancelled');
  assert.equal(provider.asked.length, 1);
});

for (const unknownOutcome of ['lookup', 'hold'] as const) {
  test(`an unknown outcome is looked up first (${unknownOutcome}): what is found is shipped`, async (t) => {
    const { provider, a, order, cancel, untilState } = await anOrder(t, {
      policy: { unknownOutcome },
    });
    provider.post = async () => 'drop';
    provider.lookUp = async () => ({ status: 500 });
    await a.handle([order()]);
    await untilState('Retrying');
    await a.handle([cancel()]);
    await until('it is looked up', () => provider.lookUps().length >= 2);
    provider.lookUp = async () => found('FOUND');
    await untilState('Shipped');
    assert.equal(provider.posts().length, 1);
  });

  test(`an unknown outcome is looked up first (${unknownOutcome}): what a settled look-up does not find is cancelled`, async (t) => {
    const { provider, a, order, cancel, untilState } = await anOrder(t, {
      policy: { unknownOutcome },
    });
    provider.post = async () => 'drop';
    await a.handle([order()]);
    await until('it is sent', () => provider.posts().length === 1);
    await a.handle([cancel()]);
    await untilState('Cancelled');
    const [sent] = provider.posts();
    const last = provider.lookUps().at(-1);
    assert.ok((last?.at ?? 0) - (sent?.at ?? 0) >= quick.settleMs, 'an early 404 proves nothing');
    assert.equal(provider.posts().length, 1);
  });
}

test('an order that failed stays failed; when an operator retries it, it is looked up and cancelled', async (t) => {
  const { provider, a, order, cancel, untilState, sql, row } = await anOrder(t);
  provider.post = async () => ({ status: 422 });
  await a.handle([order()]);
  await untilState('Failed');
  await a.handle([cancel()]);
  assert.partialDeepStrictEqual(await row(), { state: 'Failed', due_at: null, sequence: 2 });
  await sql(
    `UPDATE fulfillments
     SET state = 'Retrying', sequence = sequence + 1, attempt_open = true, settle_at = now(),
         attempts_before = attempts - abandoned, retried_at = now(), may_resend = true,
         due_at = now(), claim = claim + 1`,
  );
  await untilState('Cancelled');
  assert.deepEqual([provider.posts().length, provider.lookUps().length], [1, 1]);
});

test('what waited in memory for a free call is asked about again before it is sent', async (t) => {
  const { provider, a, order, cancel, stateOf, sql, ...rest } = await anOrder(t, {
    concurrency: 1,
  });
  const answer = Promise.withResolvers<Answer>();
  provider.post = (_ask) => answer.promise;
  await until('it takes several', () => a.pace.room() >= 3);
  const ids = newIds(3);
  await a.handle(ids.map((orderId) => order(orderId)));
  await until('one is called, two wait', () => provider.posts().length === 1);
  assert.deepEqual(await sql('SELECT DISTINCT attempts, attempt_open FROM fulfillments'), [
    { attempts: 1, attempt_open: true },
  ]);
  const first = provider.posts()[0]?.reference;
  const [wanted = '', unwanted = ''] = ids.filter((orderId) => orderId !== first);
  await a.handle([cancel(unwanted)]);
  await until('they waited long', async () =>
    Boolean(
      (await sql("SELECT now() - max(filed_at) > interval '300 ms' AS yes FROM fulfillments"))[0]
        ?.yes,
    ),
  );
  answer.resolve(shipment('T1'));
  await until('the one is shipped', async () => (await stateOf(wanted)) === 'Shipped');
  await until('the other is cancelled', async () => (await stateOf(unwanted)) === 'Cancelled');
  assert.equal(provider.posts(unwanted).length, 0);
  assert.partialDeepStrictEqual(await rest.rowOf(unwanted), { attempts: 0, attempt_open: false });
});

test('a request that another instance receives stops the next sending of this one', async (t) => {
  const { provider, a, order, cancel, untilState, instanceOf } = await anOrder(t);
  const b = instanceOf('b', { providerUrl: provider.url });
  provider.post = async () => minute;
  await a.handle([order()]);
  await untilState('Retrying');
  await b.handle([cancel()]);
  await untilState('Cancelled');
  assert.equal(provider.posts().length, 1);
});
