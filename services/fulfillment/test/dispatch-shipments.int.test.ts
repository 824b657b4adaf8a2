import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/test-postgres';
import { until } from '@orders/platform/test/until';
import type { Policy } from '../src/fulfillment.ts';
import { fulfillmentTables, newIds, orderCreated, orderEvent, quick } from './fulfillment-instance.ts';
import { type Answer, scriptedProvider, shipment } from './scripted-provider.ts';

const postgres = await startTestPostgres();
const down: Answer = { status: 503, headers: { 'retry-after': '0.0333' } };

/** One order, one instance, one provider that answers by script. */
async function oneOrder(t: TestContext, script: { policy?: Partial<Policy>; providerUrl?: string } = {}) {
  const provider = await scriptedProvider(t);
  const tables = await fulfillmentTables(t, postgres);
  const [id = ''] = newIds(1);
  const instance = tables.instanceOf('a', { providerUrl: provider.url, ...script });
  const begin = async () => {
    instance.start();
    await instance.handle([orderEvent(orderCreated(id))]);
  };
  const untilState = (state: string) => until(`it is ${state}`, async () => (await tables.stateOf(id)) === state);
  /** Events are published after the state is written. */
  const untilTold = async (types: string[]) => {
    await until(`${types} are told`, () => tables.told(id).length >= types.length);
    assert.deepEqual(
      tables.told(id).map(({ eventType }) => eventType),
      types,
    );
    assert.deepEqual(
      tables.told(id).map(({ sequence }) => sequence),
      types.map((_, i) => i + 1),
    );
  };
  return { ...tables, provider, id, instance, begin, untilState, untilTold, row: () => tables.row(id) };
}

test('an order ships with one call under its own key', async (t) => {
  const { provider, begin, untilState, untilTold, row, id } = await oneOrder(t);
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
  const { provider, begin, untilState, untilTold, row } = await oneOrder(t);
  provider.post = async (_ask, count) => (count <= 2 ? down : shipment('T3'));
  await begin();
  await untilState('Shipped');
  assert.equal((await row())?.attempts, 3);
  assert.equal(provider.lookUps().length, 0, 'what was not booked needs no look-up');
  await untilTold(['FulfillmentStarted', 'FulfillmentRetrying', 'FulfillmentRetrying', 'OrderFulfilled']);
});

test('a refusal fails at once, with the words of the provider', async (t) => {
  const { provider, begin, untilState, untilTold, row } = await oneOrder(t);
  provider.post = async () => ({ status: 422, body: { detail: 'no such street' } });
  await begin();
  await untilState('Failed');
  assert.partialDeepStrictEqual(await row(), { error: 'no such street', attempts: 1, due_at: null });
  await untilTold(['FulfillmentStarted', 'OrderFailed']);
});

test('after the last counted attempt it fails', async (t) => {
  const { provider, begin, untilState, row } = await oneOrder(t);
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
    const { provider, begin, untilState, row } = await oneOrder(t);
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

test('a 404 counts only after the settle time; then it is sent again under the same key', async (t) => {
  const { provider, begin, untilState, row, id } = await oneOrder(t);
  provider.post = async (_ask, count) => (count === 1 ? 'drop' : shipment('SECOND'));
  await begin();
  await untilState('Shipped');
  assert.partialDeepStrictEqual(await row(), { attempts: 2, tracking_number: 'SECOND' });
  const [first, second] = provider.posts();
  assert.ok((second?.at ?? 0) - (first?.at ?? 0) >= quick.settleMs, 'not before the settle time');
  assert.equal(provider.asked.at(-2)?.method, 'GET', 'a look-up comes right before');
  assert.deepEqual([first?.key, second?.key], [id, id]);
});

test('while the outcome is unknown and the look-up gets no answer it never fails, whatever the counts', async (t) => {
  const { provider, begin, untilState, stateOf, id, row } = await oneOrder(t, {
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
  const { provider, begin, untilState, row } = await oneOrder(t, {
    policy: { unknownOutcome: 'hold', attemptsMax: 1 },
  });
  provider.post = async () => 'drop';
  await begin();
  await until('it was looked up after the settle time', async () => provider.lookUps().length >= 5);
  await until('it says why', async () => String((await row())?.error).includes('held for an operator'));
  assert.equal(provider.posts().length, 1);
  provider.lookUp = async () => ({ ...(shipment('LATE') as object), status: 200 }) as Answer;
  await untilState('Shipped');
});

test('a refused connection counts no attempt', async (t) => {
  const { begin, row, untilState } = await oneOrder(t, { providerUrl: 'http://127.0.0.1:1' });
  await begin();
  await until('it was tried often', async () => Number((await row())?.retries) >= quick.attemptsMax + 2);
  await untilState('Retrying');
  await until('the attempt in hand is over', async () => (await row())?.attempt_open === false);
  assert.equal(Number((await row())?.attempts) - Number((await row())?.attempt_open), 0);
});

test('a misconfigured provider never fails an order, counts nothing, and ships when it is mended', async (t) => {
  const { provider, begin, row, untilState } = await oneOrder(t, { policy: { attemptsMax: 1, deadlineMs: 1 } });
  provider.post = async (_ask, count) => (count <= 4 ? { status: 401 } : shipment('T'));
  await begin();
  await untilState('Shipped');
  assert.equal((await row())?.attempts, 1);
  assert.equal(provider.lookUps().length, 0);
});

test('what a process that died in mid-call had sent is looked up first, and its attempt does not count', async (t) => {
  const { provider, id, instance, instanceOf, sql, untilState, row } = await oneOrder(t, {
    policy: { attemptsMax: 1 },
  });
  const dead = instanceOf('dead', { providerUrl: provider.url });
  await dead.handle([orderEvent(orderCreated(id))]);
  await dead.store.claimDue(1, { leaseMs: 60_000, settleMs: quick.settleMs });
  instance.start();
  await sql("UPDATE fulfillments SET due_at = now() + interval '150 ms'");
  provider.post = async (_ask, count) => (count === 1 ? down : shipment('T'));
  await untilState('Failed');
  assert.deepEqual(provider.asked.map(({ method }) => method).slice(0, 2), ['GET', 'GET'], 'before and after settling');
  assert.partialDeepStrictEqual(await row(), { attempts: 2, abandoned: 1 });
  assert.equal(provider.posts().length, 1);
});

test('at a provider that keeps no keys and whose look-up lags behind its booking, nothing is booked twice', async (t) => {
  const { provider, begin, untilState, row, stateOf, id } = await oneOrder(t);
  let bookedAt = 0;
  let bookings = 0;
  provider.post = async () => {
    bookings += 1;
    bookedAt = performance.now();
    return 'drop';
  };
  const lagMs = quick.settleMs * 0.8;
  provider.lookUp = async () => {
    const isShown = bookedAt > 0 && performance.now() - bookedAt > lagMs;
    return isShown ? ({ ...(shipment('LAGGED') as object), status: 200 } as Answer) : { status: 404 };
  };
  await begin();
  await until('the first look-up finds nothing', () => provider.lookUps().length === 1);
  assert.notEqual(await stateOf(id), 'Shipped');
  await untilState('Shipped');
  assert.partialDeepStrictEqual(await row(), { attempts: 1, tracking_number: 'LAGGED' });
  assert.equal(bookings, 1);
});

/** What an operator's retry writes. */
const retry = `UPDATE fulfillments SET state = 'Retrying', sequence = sequence + 1, claim = claim + 1, claimed_by = NULL, retries = 0,
  attempts_before = attempts - abandoned, retried_at = now(), may_resend = true, attempt_open = true, settle_at = now(), due_at = now()`;

test('after an operator has retried it, it is looked up before it is sent, with a new count of attempts', async (t) => {
  const { provider, begin, untilState, row, sql } = await oneOrder(t);
  provider.post = async () => down;
  await begin();
  await untilState('Failed');
  await sql(retry);
  await until('it failed again', async () => Number((await row())?.attempts) === 2 * quick.attemptsMax);
  await untilState('Failed');
  assert.equal(provider.posts().length, 2 * quick.attemptsMax);
  assert.equal(provider.asked[quick.attemptsMax]?.method, 'GET');
  provider.lookUp = async () => ({ ...(shipment('BOOKED AFTER ALL') as object), status: 200 }) as Answer;
  await sql(retry);
  await untilState('Shipped');
  assert.partialDeepStrictEqual(await row(), { tracking_number: 'BOOKED AFTER ALL', attempts: 2 * quick.attemptsMax });
});

test('an operator may release what is held: a settled look-up lets it be sent once more, and then it is held again', async (t) => {
  const { provider, begin, row, sql } = await oneOrder(t, { policy: { unknownOutcome: 'hold' } });
  provider.post = async () => 'drop';
  await begin();
  const isHeld = async () => String((await row())?.error).includes('held for an operator');
  await until('it is held', isHeld);
  await sql(retry.replace('settle_at = now()', 'settle_at = settle_at'));
  await until('it is sent again', () => provider.posts().length === 2);
  await until('it is held again', isHeld);
  const lookUps = provider.lookUps().length;
  await until('it is looked up on and on', () => provider.lookUps().length > lookUps + 3);
  assert.equal(provider.posts().length, 2);
  assert.equal((await row())?.may_resend, false);
});
