import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import { quick } from '../fulfillment-instance.ts';
import { down, oneOrder } from '../one-order.ts';
import { type Answer, shipment } from '../scripted-provider.ts';

const postgres = await startTestPostgres();

test('at a provider that keeps no keys and whose look-up lags behind its booking, nothing is booked twice', async (t) => {
  const { provider, begin, untilState, row, stateOf, id } = await oneOrder(t, postgres);
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
    return isShown
      ? ({ ...(shipment('LAGGED') as object), status: 200 } as Answer)
      : { status: 404 };
  };
  await begin();
  await until('the first look-up finds nothing', () => provider.lookUps().length === 1);
  assert.notEqual(await stateOf(id), 'Shipped');
  await untilState('Shipped');
  assert.partialDeepStrictEqual(await row(), { attempts: 1, tracking_number: 'LAGGED' });
  assert.equal(bookings, 1);
});

/** What an operator's retry writes. */
const retry = `
  UPDATE fulfillments
  SET state = 'Retrying', sequence = sequence + 1, claim = claim + 1, claimed_by = NULL,
      retries = 0, attempts_before = attempts - abandoned, retried_at = now(), may_resend = true,
      attempt_open = true, settle_at = now(), due_at = now()`;

test('after an operator has retried it, it is looked up before it is sent, with a new count of attempts', async (t) => {
  const { provider, begin, untilState, row, sql } = await oneOrder(t, postgres);
  provider.post = async () => down;
  await begin();
  await untilState('Failed');
  await sql(retry);
  await until(
    'it failed again',
    async () => Number((await row())?.attempts) === 2 * quick.attemptsMax,
  );
  await untilState('Failed');
  assert.equal(provider.posts().length, 2 * quick.attemptsMax);
  assert.equal(provider.asked[quick.attemptsMax]?.method, 'GET');
  provider.lookUp = async () =>
    ({ ...(shipment('BOOKED AFTER ALL') as object), status: 200 }) as Answer;
  await sql(retry);
  await untilState('Shipped');
  assert.partialDeepStrictEqual(await row(), {
    tracking_number: 'BOOKED AFTER ALL',
    attempts: 2 * quick.attemptsMax,
  });
});

test('an operator may release what is claimed: a settled look-up lets it be sent once more, and then it is claimed again', async (t) => {
  const { provider, begin, row, sql } = await oneOrder(t, postgres, {
    policy: { unknownOutcome: 'hold' },
  });
  provider.post = async () => 'drop';
  await begin();
  const isHeld = async () => String((await row())?.error).includes('waits for an operator');
  await until('it waits for an operator', isHeld);
  await sql(retry.replace('settle_at = now()', 'settle_at = settle_at'));
  await until('it is sent again', () => provider.posts().length === 2);
  await until('it is claimed again', isHeld);
  const lookUps = provider.lookUps().length;
  await until('it is looked up on and on', () => provider.lookUps().length > lookUps + 3);
  assert.equal(provider.posts().length, 2);
  assert.equal((await row())?.may_resend, false);
});
