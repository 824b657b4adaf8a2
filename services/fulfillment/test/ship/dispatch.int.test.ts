import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import { orderCreated, orderEvent, quick } from '../fulfillment-instance.ts';
import { down, oneOrder } from '../one-order.ts';
import { type Answer, shipment } from '../scripted-provider.ts';

const postgres = await startTestPostgres();

test('an order ships with one call under its own key', async (t) => {
  const { provider, begin, untilState, untilTold, row, id } = await oneOrder(t, postgres);
  await begin();
  await untilState('Shipped');
  assert.partialDeepStrictEqual(await row(), {
    attempts: 1,
    tracking_number: 'T1',
    carrier: 'Carrier',
    error: null,
    due_at: null,
  });
  assert.deepEqual(
    provider.asked.map(({ method, key }) => [method, key]),
    [['POST', id]],
  );
  await untilTold(['FulfillmentStarted', 'OrderFulfilled']);
});

test('503 twice, with fractions of seconds to wait, then ships: three counted attempts', async (t) => {
  const { provider, begin, untilState, untilTold, row } = await oneOrder(t, postgres);
  provider.post = async (_ask, count) => (count <= 2 ? down : shipment('T3'));
  await begin();
  await untilState('Shipped');
  assert.equal((await row())?.attempts, 3);
  assert.equal(provider.lookUps().length, 0, 'what was not booked needs no look-up');
  await untilTold([
    'FulfillmentStarted',
    'FulfillmentRetrying',
    'FulfillmentRetrying',
    'OrderFulfilled',
  ]);
});

test('a refusal fails at once, with the words of the provider', async (t) => {
  const { provider, begin, untilState, untilTold, row } = await oneOrder(t, postgres);
  provider.post = async () => ({ status: 422, body: { detail: 'no such street' } });
  await begin();
  await untilState('Failed');
  assert.partialDeepStrictEqual(await row(), {
    error: 'no such street',
    attempts: 1,
    due_at: null,
  });
  await untilTold(['FulfillmentStarted', 'OrderFailed']);
});

test('after the last counted attempt it fails', async (t) => {
  const { provider, begin, untilState, row } = await oneOrder(t, postgres);
  provider.post = async () => down;
  await begin();
  await untilState('Failed');
  assert.equal((await row())?.attempts, quick.attemptsMax);
  assert.equal(provider.posts().length, quick.attemptsMax);
});

for (const [name, answer] of [
  ['a lost response', 'drop'],
  ['a timeout', 'hang'],
  ['409', { status: 409 }],
  ['408', { status: 408 }],
  ['500', { status: 500 }],
  ['an unreadable 201', { status: 201, body: 'thanks' }],
] as [string, Answer][]) {
  test(`after ${name} the shipment is looked up and adopted, and never sent again`, async (t) => {
    const { provider, begin, untilState, row } = await oneOrder(t, postgres);
    provider.post = async () => answer;
    provider.lookUp = async (_ask, count) =>
      count === 1 ? { status: 500 } : ({ ...(shipment('FOUND') as object), status: 200 } as Answer);
    await begin();
    await untilState('Shipped');
    assert.partialDeepStrictEqual(await row(), { attempts: 1, tracking_number: 'FOUND' });
    assert.deepEqual(
      provider.asked.map(({ method }) => method),
      ['POST', 'GET', 'GET'],
    );
  });
}

test('I8: a 404 counts only after the settle time; then it is sent again under the same key', async (t) => {
  const { provider, begin, untilState, row, id } = await oneOrder(t, postgres);
  provider.post = async (_ask, count) => (count === 1 ? 'drop' : shipment('SECOND'));
  await begin();
  await untilState('Shipped');
  assert.partialDeepStrictEqual(await row(), { attempts: 2, tracking_number: 'SECOND' });
  const [first, second] = provider.posts();
  assert.ok((second?.at ?? 0) - (first?.at ?? 0) >= quick.settleMs, 'not before the settle time');
  assert.equal(provider.asked.at(-2)?.method, 'GET', 'a look-up comes right before');
  assert.deepEqual([first?.key, second?.key], [id, id]);
});

test('I9: while the outcome is unknown and the look-up gets no answer it never fails, whatever the counts', async (t) => {
  const { provider, begin, untilState, stateOf, id, row } = await oneOrder(t, postgres, {
    policy: { attemptsMax: 1, deadlineMs: 1 },
  });
  provider.post = async () => 'drop';
  provider.lookUp = async () => ({ status: 500 });
  await begin();
  await until('it was looked up often', () => provider.lookUps().length >= 5);
  assert.equal(await stateOf(id), 'Retrying');
  assert.equal((await row())?.attempts, 1);
  provider.lookUp = async () => ({ status: 404 });
  await untilState('Failed');
  assert.equal(provider.posts().length, 1);
});

test('with hold nothing unknown is ever sent again, only looked up', async (t) => {
  const { provider, begin, untilState, row } = await oneOrder(t, postgres, {
    policy: { unknownOutcome: 'hold', attemptsMax: 1 },
  });
  provider.post = async () => 'drop';
  await begin();
  await until('it was looked up after the settle time', async () => provider.lookUps().length >= 5);
  await until('it says why', async () =>
    String((await row())?.error).includes('waits for an operator'),
  );
  assert.equal(provider.posts().length, 1);
  provider.lookUp = async () => ({ ...(shipment('LATE') as object), status: 200 }) as Answer;
  await untilState('Shipped');
});

test('a refused connection counts no attempt', async (t) => {
  const { begin, row, untilState } = await oneOrder(t, postgres, {
    providerUrl: 'http://127.0.0.1:1',
  });
  await begin();
  await until(
    'it was tried often',
    async () => Number((await row())?.retries) >= quick.attemptsMax + 2,
  );
  await untilState('Retrying');
  const seen = await row();
  assert.equal(Number(seen?.attempts), Number(seen?.attempt_open));
});

test('a misconfigured provider never fails an order, counts nothing, and ships when it is mended', async (t) => {
  const { provider, begin, row, untilState } = await oneOrder(t, postgres, {
    policy: { attemptsMax: 1, deadlineMs: 1 },
  });
  provider.post = async (_ask, count) => (count <= 4 ? { status: 401 } : shipment('T'));
  await begin();
  await untilState('Shipped');
  assert.equal((await row())?.attempts, 1);
  assert.equal(provider.lookUps().length, 0);
});

test('I4: what a process that died in mid-call had sent is looked up first, and its attempt does not count', async (t) => {
  const { provider, id, instance, instanceOf, sql, untilState, row } = await oneOrder(t, postgres, {
    policy: { attemptsMax: 1 },
  });
  const dead = instanceOf('dead', { providerUrl: provider.url });
  await dead.handle([orderEvent(orderCreated(id))]);
  await dead.store.claimDue(
    { itemsMax: 1, bytesMax: 1_000_000 },
    { leaseMs: 60_000, settleMs: quick.settleMs },
  );
  instance.start();
  await sql("UPDATE fulfillments SET due_at = now() + interval '150 ms'");
  provider.post = async (_ask, count) => (count === 1 ? down : shipment('T'));
  await untilState('Failed');
  assert.deepEqual(
    provider.asked.map(({ method }) => method).slice(0, 2),
    ['GET', 'GET'],
    'before and after settling',
  );
  assert.partialDeepStrictEqual(await row(), { attempts: 2, abandoned: 1 });
  assert.equal(provider.posts().length, 1);
});
