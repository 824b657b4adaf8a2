import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { operatorApi } from './operator-instance.ts';

const postgres = await startTestPostgres();

async function verdicts(t: Parameters<typeof operatorApi>[0]) {
  const api = await operatorApi(t, postgres);
  const held = () =>
    api.file(
      { state: 'Retrying', attempt_open: true, held: true, error: 'outcome unknown' },
      { due_at: "now() + interval '1 hour'" },
    );
  const give = (orderId: string, verdict: object) =>
    api.ask('POST', `/api/fulfillments/${orderId}/verdict`, { reason: 'they said so', ...verdict });
  const events = async (orderId: string) =>
    (await api.sql('SELECT event_type, payload FROM outbox WHERE key = $1', [orderId])).map(
      (row) => [row.event_type, JSON.parse(String(row.payload)).fulfillment] as const,
    );
  return { ...api, held, give, events };
}

test('booked ends a held order as Shipped, with the number that the operator gives and its record', async (t) => {
  const { held, give, events, sql } = await verdicts(t);
  const orderId = await held();
  const answer = await give(orderId, { verdict: 'booked', trackingNumber: 'T9', carrier: 'C' });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  assert.partialDeepStrictEqual(answer.body, {
    state: 'Shipped',
    trackingNumber: 'T9',
    isHeld: false,
    isAttemptOpen: false,
    dueAt: null,
  });
  const [[type, fulfillment] = []] = await events(orderId);
  assert.equal(type, 'OrderFulfilled');
  assert.partialDeepStrictEqual(fulfillment, { status: 'Shipped', trackingNumber: 'T9' });
  assert.partialDeepStrictEqual(await sql('SELECT * FROM operator_actions'), [
    { operator: 'ann', action: 'verdict', reason: 'they said so', result: { state: 'Shipped' } },
  ]);
  assert.equal((await give(orderId, { verdict: 'given_up' })).body.code, 'verdict_impossible');
});

test('not_booked makes it due at once, to be sent again without a look-up', async (t) => {
  const { held, give, rowOf, events } = await verdicts(t);
  const orderId = await held();
  assert.equal((await give(orderId, { verdict: 'not_booked' })).status, 200);
  assert.partialDeepStrictEqual(await rowOf(orderId), {
    state: 'Retrying',
    held: false,
    attempt_open: false,
    was_unknown: false,
  });
  assert.equal((await events(orderId))[0]?.[0], 'FulfillmentRetrying');
});

test('what is given up stays Failed, and no filter of a retry matches it', async (t) => {
  const { file, give, retry, rowOf } = await verdicts(t);
  const [orderId, other] = [await file(), await file()];
  assert.equal((await give(orderId, { verdict: 'given_up' })).body.isGivenUp, true);
  assert.match(String((await rowOf(orderId)).error), /^given up by ann: they said so$/);
  const filter = { state: 'Failed', createdFrom: '2020-01-01T00:00:00Z' } as const;
  const { body } = await retry({ filter });
  assert.deepEqual(
    body.touched.map((entry: { orderId: string }) => entry.orderId),
    [other],
  );
  assert.deepEqual((await retry({ orderIds: [orderId] })).body.skipped, [
    { orderId, why: 'was given up' },
  ]);
});

test('a verdict that cannot be is refused with its reason, and nothing is changed', async (t) => {
  const { file, held, give, sql } = await verdicts(t);
  const shipped = await file({ state: 'Shipped' });
  const inHand = await file(
    { state: 'Retrying', claimed_by: 'a' },
    { due_at: "now() + interval '10 s'" },
  );
  const waiting = await held();
  const unknown = '01990000-ffff-7000-8000-000000000000';
  for (const [orderId, verdict, status, told] of [
    [shipped, { verdict: 'given_up' }, 409, 'is Shipped'],
    [inHand, { verdict: 'given_up' }, 409, 'is being worked on now'],
    [unknown, { verdict: 'given_up' }, 404, 'no fulfillment'],
    [waiting, { verdict: 'booked' }, 400, 'is required where the verdict is booked'],
    [waiting, { verdict: 'given_up', trackingNumber: 'T' }, 400, 'must not be given'],
    [waiting, { verdict: 'CHOOSE_ONE' }, 400, 'verdict'],
  ] as const) {
    const answer = await give(orderId, verdict);
    assert.equal(answer.status, status, JSON.stringify(answer.body));
    assert.ok(JSON.stringify(answer.body).includes(told), JSON.stringify(answer.body));
  }
  assert.deepEqual(await sql('SELECT * FROM operator_actions'), []);
  assert.deepEqual(await sql('SELECT * FROM outbox'), []);
});

test('a retry of all that ever failed needs a bound in time or an error', async (t) => {
  const { file, retry } = await verdicts(t);
  const orderId = await file();
  const refused = await retry({ filter: { state: 'Failed' } });
  assert.deepEqual([refused.status, refused.body.errors[0].pointer], [400, '/filter']);
  const dry = await retry({ filter: { state: 'Failed' }, dryRun: true });
  assert.equal(dry.body.touched[0].orderId, orderId, 'looking is free');
});
