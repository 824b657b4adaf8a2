import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FulfillmentEvent } from '@orders/contracts/fulfillments/events';
import { createValidator } from '@orders/platform/process/validator';
import fc from 'fast-check';
import { backoffOf } from '../src/backoff.ts';
import { type Claimed, decide, type Policy } from '../src/fulfillment.ts';
import { toEvent } from '../src/fulfillment-event.ts';
import type { Outcome } from '../src/outcome.ts';
import { call, claimed, policy, shipped } from './claimed.ts';

const failed = { at: call.now.toISOString(), outcome: 'unknown', error: 'e', durationMs: 1 };
const anyOutcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.constant(shipped),
  fc.constantFrom<Outcome>(
    { kind: 'refused', error: 'r' },
    { kind: 'not_sent', error: 'n' },
    { kind: 'misconfigured', error: 'm' },
    { kind: 'unknown', error: 'u' },
    { kind: 'not_found' },
    { kind: 'no_answer', error: 'a' },
    { kind: 'handed_back' },
    { kind: 'put_off', error: 'h' },
    { kind: 'cancelled' },
  ),
  fc
    .double({ min: 0, max: 1e12, noNaN: true })
    .map((retryAfterMs): Outcome => ({ kind: 'not_booked', error: 'b', retryAfterMs })),
);
const anyHeld: fc.Arbitrary<Claimed> = fc
  .record({
    state: fc.constantFrom<Claimed['state']>('Processing', 'Retrying'),
    sequence: fc.integer({ min: 1, max: 1_000 }),
    counted: fc.integer({ min: 1, max: 12 }),
    abandoned: fc.integer({ min: 0, max: 5 }),
    attemptsBefore: fc.integer({ min: 0, max: 5 }),
    mayResend: fc.boolean(),
    wasUnknown: fc.boolean(),
    refusal: fc.constantFrom(null, 'refused'),
    isHeld: fc.boolean(),
    isCancelRequested: fc.boolean(),
    retries: fc.integer({ min: 0, max: 100 }),
    mustLookUp: fc.boolean(),
    isSettled: fc.boolean(),
    ageMs: fc.integer({ min: 0, max: 200_000_000 }),
    kept: fc.integer({ min: 0, max: 20 }),
  })
  .map(({ counted, kept, ...rest }) => ({
    ...claimed,
    ...rest,
    attempts: counted + rest.abandoned + rest.attemptsBefore,
    failedAttempts: Array(kept).fill(failed),
  }));
const anyCall = fc.record({
  durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
  now: fc.constant(call.now),
  random: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
});
const anyPolicy = fc
  .record({
    attemptsMax: fc.option(fc.integer({ min: 1, max: 10 })),
    unknownOutcome: fc.constantFrom<Policy['unknownOutcome']>('lookup', 'hold'),
  })
  .map((some): Policy => ({ ...policy, ...some }));

/** Outcomes that only a POST, or only a look-up, can have. */
const canHave = (h: Claimed, { kind }: Outcome): boolean => {
  if (h.mustLookUp)
    return ['shipped', 'not_found', 'no_answer', 'put_off', 'handed_back'].includes(kind);
  if (h.isCancelRequested) return kind === 'cancelled';
  return !['not_found', 'no_answer'].includes(kind);
};

const isEvent = createValidator(FulfillmentEvent);

test('I9: every decision keeps the rules, whatever was held and whatever came of it', () => {
  const property = fc.property(anyHeld, anyOutcome, anyCall, anyPolicy, (h, outcome, c, p) => {
    fc.pre(canHave(h, outcome));
    const d = decide(h, outcome, c, p);
    const isFinal = ['Shipped', 'Failed', 'Cancelled'].includes(d.state);
    assert.equal(d.dueMs === null, isFinal, 'open ones are due, final ones are not');
    if (isFinal) assert.equal(d.isAttemptOpen, false);
    for (const whole of [d.dueMs ?? 0, d.settleMs ?? 0, d.attempts, d.retries, d.sequence]) {
      assert.ok(
        Number.isInteger(whole) && whole >= 0 && whole < 2 ** 31,
        `PostgreSQL takes ${whole} as an integer`,
      );
    }
    assert.ok(
      (d.dueMs ?? 0) <= Math.max(300_000, p.backoffMaxMs),
      'nobody waits longer than the caps',
    );
    assert.equal(
      d.sequence,
      h.sequence + (d.eventType === null ? 0 : 1),
      'a told change has the next sequence',
    );
    if (d.state !== h.state || isFinal) assert.notEqual(d.eventType, null, 'a new state is told');
    assert.ok(d.failedAttempts.length <= 20);
    assert.equal(
      [d.orderId, d.claim].join(),
      [h.orderId, h.claim].join(),
      'the claim fences the write',
    );
    const notCalled = ['not_sent', 'misconfigured', 'handed_back', 'put_off', 'cancelled'].includes(
      outcome.kind,
    );
    const uncounted = notCalled && !h.mustLookUp && !h.isCancelRequested;
    assert.equal(d.attempts, h.attempts - (uncounted ? 1 : 0));
    if (d.state === 'Shipped') assert.equal(outcome.kind, 'shipped');
    if (d.state === 'Failed') {
      assert.ok(
        ['refused', 'not_booked', 'not_sent', 'not_found'].includes(outcome.kind),
        'a definite answer',
      );
      const isExhausted =
        h.attempts - h.abandoned - h.attemptsBefore >=
          (p.attemptsMax ?? Number.POSITIVE_INFINITY) || h.ageMs > p.deadlineMs;
      const isRefused = outcome.kind === 'refused' || h.refusal !== null;
      assert.ok(isRefused || isExhausted);
      assert.ok(!h.wasUnknown || outcome.kind === 'not_found', 'looked up before it fails');
      if (outcome.kind === 'not_found')
        assert.ok(
          h.isSettled &&
            ((p.unknownOutcome === 'lookup' && !h.isHeld) || h.mayResend || h.refusal !== null),
        );
    }
    if (d.state === 'Cancelled') {
      assert.ok(
        outcome.kind === 'cancelled' ||
          (outcome.kind === 'not_found' && h.isSettled && h.isCancelRequested),
      );
    }
    const isUnknown =
      ['unknown', 'no_answer'].includes(outcome.kind) ||
      (h.mustLookUp && outcome.kind === 'put_off');
    if (isUnknown) assert.ok(d.isAttemptOpen, 'unknown stays open');
    if (d.eventType !== null) {
      const event = JSON.parse(JSON.stringify(toEvent(h, d, d.eventType, c.now)));
      assert.deepEqual(isEvent.faults(event), []);
      assert.equal(event.fulfillment.status, d.state);
    }
  });
  fc.assert(property, { numRuns: 5_000 });
});

test('I7: a fulfillment with random outcomes never sends while an outcome is unknown and counts only what it should', () => {
  const life = fc.array(fc.record({ outcome: anyOutcome, isSettled: fc.boolean() }), {
    minLength: 1,
    maxLength: 60,
  });
  const property = fc.property(life, anyCall, anyPolicy, (steps, c, p) => {
    let row = {
      ...claimed,
      attempts: 0,
      sequence: 1,
      retries: 0,
      failedAttempts: [] as Claimed['failedAttempts'],
    };
    let isOpen = false;
    let counted = 0;
    for (const { outcome, isSettled } of steps) {
      const h: Claimed = {
        ...row,
        attempts: row.attempts + (isOpen ? 0 : 1),
        mustLookUp: isOpen,
        isSettled,
      };
      if (!canHave(h, outcome)) continue;
      if (!h.mustLookUp && ['not_booked', 'unknown', 'refused', 'shipped'].includes(outcome.kind))
        counted += 1;
      const d = decide(h, outcome, c, p);
      assert.equal(d.attempts, counted);
      assert.ok(
        counted <= (p.attemptsMax ?? Number.POSITIVE_INFINITY) ||
          d.isAttemptOpen ||
          d.state === 'Shipped' ||
          outcome.kind === 'refused',
      );
      if (d.state === 'Shipped' || d.state === 'Failed' || d.state === 'Cancelled') return;
      isOpen = d.isAttemptOpen;
      row = { ...h, ...d, state: d.state };
    }
  });
  fc.assert(property, { numRuns: 2_000 });
});

test('backoff doubles with full jitter up to its cap', () => {
  assert.equal(backoffOf(0, 0.999999, policy), 500);
  assert.equal(backoffOf(3, 0.5, policy), 2_000);
  assert.equal(backoffOf(500, 0.999999, policy), 60_000);
  assert.equal(backoffOf(5, 0, policy), 0);
});

test('an outage leaves one entry in the record of failures, however long it lasts, and no attempt is lost for it', () => {
  let row: Claimed = { ...claimed, failedAttempts: [] };
  const end = (outcome: Outcome) => {
    const { state, attempts, retries, failedAttempts } = decide(row, outcome, call, policy);
    assert.equal(state, 'Retrying');
    row = { ...row, attempts: attempts + 1, retries, failedAttempts };
  };
  end({ kind: 'not_booked', error: '503', retryAfterMs: 0 });
  for (let i = 0; i < 50; i += 1) end({ kind: 'put_off', error: 'circuit breaker open' });
  end({ kind: 'not_booked', error: '503', retryAfterMs: 0 });
  assert.deepEqual(
    row.failedAttempts.map(({ outcome }) => outcome),
    ['not_booked', 'put_off', 'not_booked'],
  );
});
