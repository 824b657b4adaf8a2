import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planRetry, type RetryCandidate } from '../../src/operate/retry-plan.ts';

const failure = {
  at: '2026-01-20T21:09:00.000Z',
  outcome: 'refused',
  error: '422 no parcels',
  durationMs: 12,
};
let count = 0;

const candidate = (over: Partial<RetryCandidate> = {}): RetryCandidate => ({
  orderId: `order-${++count}`,
  state: 'Failed',
  claim: 1,
  sequence: 2,
  attempts: 1,
  error: failure.error,
  failedAttempts: [failure],
  isAttemptOpen: false,
  isInHand: false,
  isGivenUp: false,
  dueInMs: null,
  isCancelRequested: false,
  correlationId: null,
  startedAt: '2026-01-20T21:09:00.000Z',
  traceparent: null,
  ...over,
});

test('retries become due one after the other at the rate; what is skipped takes no place', () => {
  const plan = planRetry(
    [candidate(), candidate({ state: 'Shipped' }), candidate(), candidate()],
    4,
  );
  assert.deepEqual(
    plan.retries.map(({ dueMs }) => dueMs),
    [0, 250, 500],
  );
  const slow = planRetry([candidate(), candidate()], 0.1);
  assert.equal(slow.retries[1]?.dueMs, 10_000);
});

test('a retry never puts off what is due sooner anyway', () => {
  const rows = [
    candidate(),
    candidate({ state: 'Retrying', dueInMs: 300.7 }),
    candidate({ state: 'Retrying', dueInMs: -50 }),
  ];
  assert.deepEqual(
    planRetry(rows, 1).retries.map(({ dueMs }) => dueMs),
    [0, 300, 0],
  );
});

test('only what failed or is to be retried is touched, and never what somebody has in hand', () => {
  const rows = (['Processing', 'Retrying', 'Shipped', 'Failed', 'Cancelled'] as const).map(
    (state) => candidate({ state }),
  );
  const claimed = candidate({ state: 'Retrying', isInHand: true });
  const { retries, skipped } = planRetry([...rows, claimed], 10);
  assert.deepEqual(
    retries.map(({ entry }) => entry.state),
    ['Retrying', 'Failed'],
  );
  assert.deepEqual(
    skipped.map(({ why }) => why),
    [
      'is on its way, nothing has failed yet',
      'is shipped',
      'is cancelled',
      'is being worked on now',
    ],
  );
});

test('it is told what has happened and what follows, also where the outcome is unknown or a cancellation waits', () => {
  const entryOf = (over: Partial<RetryCandidate>) =>
    planRetry([candidate(over)], 10).retries[0]?.entry;
  assert.equal(
    entryOf({})?.whatHappened,
    '1 attempt; last failure 2026-01-20T21:09:00.000Z, refused: 422 no parcels',
  );
  assert.match(entryOf({})?.whatFollows ?? '', /asked for its shipment first.* sent again/);
  assert.match(
    entryOf({ isAttemptOpen: true, attempts: 2 })?.whatHappened ?? '',
    /^2 attempts.*not known whether/,
  );
  assert.match(
    entryOf({ isAttemptOpen: true })?.whatFollows ?? '',
    /after the settle time, it is sent again/,
  );
  assert.match(
    entryOf({ isCancelRequested: true })?.whatFollows ?? '',
    /cancelled, as was asked for, and not sent/,
  );
  assert.equal(entryOf({ attempts: 0, failedAttempts: [] })?.whatHappened, '0 attempts');
});
