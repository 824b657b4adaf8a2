import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FulfillmentEvent } from '@orders/contracts/fulfillment-events';
import { createValidator } from '@orders/platform/validator';
import fc from 'fast-check';
import { backoffOf, type Decision, decide, type Held, type Outcome, type Policy } from '../src/fulfillment.ts';
import { toEvent } from '../src/fulfillment-event.ts';

const policy: Policy = {
  attemptsMax: 8,
  deadlineMs: 86_400_000,
  backoffMs: 500,
  backoffMaxMs: 60_000,
  settleMs: 2_000,
  unknownOutcome: 'lookup',
};
const held: Held = {
  orderId: '01900000-0000-7000-8000-000000000001',
  claim: 3,
  state: 'Processing',
  sequence: 4,
  attempts: 2,
  abandoned: 0,
  attemptsBefore: 0,
  retries: 1,
  mustLookUp: false,
  isSettled: false,
  mayResend: false,
  isCancelRequested: false,
  ageMs: 1_000,
  failedAttempts: [],
  payload: '{}',
  correlationId: 'c',
  traceparent: null,
};
const call = { durationMs: 12.6, now: new Date('2026-01-20T21:09:00.000Z'), random: 0.5 };
const shipped: Outcome = { kind: 'shipped', trackingNumber: 'T1', carrier: 'C', shippedAt: '2026-01-20T21:09:00.000Z' };

/** The table of section 5 of the contract, and what the words around it say. */
const table: [string, Partial<Held>, Outcome, Partial<Decision>, Partial<Policy>?][] = [
  ['a shipment ships', {}, shipped, { state: 'Shipped', attempts: 2, dueMs: null, eventType: 'OrderFulfilled' }],
  ['a look-up adopts', { mustLookUp: true }, shipped, { state: 'Shipped', attempts: 2, isAttemptOpen: false }],
  [
    'a refusal fails at once',
    { attempts: 1 },
    { kind: 'refused', error: 'no' },
    { state: 'Failed', error: 'no', attempts: 1 },
  ],
  [
    'a 503 is retried and counted',
    {},
    { kind: 'not_booked', error: 'x', retryAfterMs: 0 },
    { state: 'Retrying', attempts: 2, dueMs: 500, isAttemptOpen: false },
  ],
  ['Retry-After is honoured', {}, { kind: 'not_booked', error: 'x', retryAfterMs: 7_000 }, { dueMs: 7_000 }],
  ['Retry-After is capped', {}, { kind: 'not_booked', error: 'x', retryAfterMs: 9e9 }, { dueMs: 300_000 }],
  [
    'the last counted attempt fails',
    { attempts: 8 },
    { kind: 'not_booked', error: 'x', retryAfterMs: 0 },
    { state: 'Failed', attempts: 8, dueMs: null, eventType: 'OrderFailed' },
  ],
  [
    'abandoned attempts do not count',
    { attempts: 9, abandoned: 2 },
    { kind: 'not_booked', error: 'x', retryAfterMs: 0 },
    { state: 'Retrying' },
  ],
  [
    'the deadline fails what is not booked',
    { ageMs: 86_400_001 },
    { kind: 'not_booked', error: 'x', retryAfterMs: 0 },
    { state: 'Failed' },
  ],
  [
    'what was not sent counts no attempt',
    { attempts: 8 },
    { kind: 'not_sent', error: 'x' },
    { state: 'Retrying', attempts: 7, isAttemptOpen: false },
  ],
  [
    'the deadline fails what was not sent, uncounted',
    { attempts: 3, ageMs: 86_400_001 },
    { kind: 'not_sent', error: 'x' },
    { state: 'Failed', attempts: 2 },
  ],
  [
    'misconfiguration never fails',
    { attempts: 9, ageMs: 9e9 },
    { kind: 'misconfigured', error: 'x' },
    { state: 'Retrying', attempts: 8 },
  ],
  [
    'an unknown outcome stays open',
    { attempts: 9, ageMs: 9e9 },
    { kind: 'unknown', error: 'x' },
    { state: 'Retrying', attempts: 9, isAttemptOpen: true, settleMs: 2_000 },
  ],
  [
    'a look-up without answer keeps the settle time',
    { mustLookUp: true, ageMs: 9e9 },
    { kind: 'no_answer', error: 'x' },
    { state: 'Retrying', isAttemptOpen: true, settleMs: undefined },
  ],
  [
    'an early 404 says nothing',
    { mustLookUp: true },
    { kind: 'not_found' },
    { state: 'Processing', isAttemptOpen: true, settleMs: undefined, dueMs: 2_000, eventType: null, sequence: 4 },
  ],
  [
    'a settled 404 sends again',
    { mustLookUp: true, isSettled: true },
    { kind: 'not_found' },
    { isAttemptOpen: false, settleMs: null, dueMs: 0, attempts: 2, eventType: null },
  ],
  [
    'a settled 404 after the last attempt fails',
    { mustLookUp: true, isSettled: true, attempts: 8 },
    { kind: 'not_found' },
    { state: 'Failed', eventType: 'OrderFailed' },
  ],
  [
    'hold never sends again',
    { mustLookUp: true, isSettled: true, attempts: 99, ageMs: 9e9 },
    { kind: 'not_found' },
    { state: 'Retrying', isAttemptOpen: true },
    { unknownOutcome: 'hold' },
  ],
  [
    'hold sends again when an operator says so',
    { mustLookUp: true, isSettled: true, mayResend: true },
    { kind: 'not_found' },
    { state: 'Processing', isAttemptOpen: false, settleMs: null, dueMs: 0, eventType: null },
    { unknownOutcome: 'hold' },
  ],
  [
    "an operator's retry begins a new count",
    { attempts: 15, attemptsBefore: 8 },
    { kind: 'not_booked', error: 'x', retryAfterMs: 0 },
    { state: 'Retrying', attempts: 15 },
  ],
  [
    'and the new count ends too',
    { attempts: 17, abandoned: 1, attemptsBefore: 8 },
    { kind: 'not_booked', error: 'x', retryAfterMs: 0 },
    { state: 'Failed', attempts: 17 },
  ],
  [
    'what the breaker held back never fails, counts nothing and is no attempt',
    { attempts: 9, ageMs: 9e9 },
    { kind: 'held_back', error: 'circuit breaker open' },
    { state: 'Retrying', attempts: 8, isAttemptOpen: false, error: 'circuit breaker open' },
  ],
  [
    'a look-up that the breaker held back stays open',
    { mustLookUp: true },
    { kind: 'held_back', error: 'circuit breaker open' },
    { state: 'Retrying', attempts: 2, isAttemptOpen: true, settleMs: undefined },
  ],
  [
    'Retry-After of a look-up is honoured',
    { mustLookUp: true },
    { kind: 'no_answer', error: '429', retryAfterMs: 7_000 },
    { dueMs: 7_000, isAttemptOpen: true },
  ],
  [
    'what is cancelled before an attempt began counts none',
    { isCancelRequested: true },
    { kind: 'cancelled' },
    { state: 'Cancelled', attempts: 2, dueMs: null, isAttemptOpen: false, eventType: 'OrderCancelled', sequence: 5 },
  ],
  [
    'what is cancelled while it waited for its call takes the attempt back',
    {},
    { kind: 'cancelled' },
    { state: 'Cancelled', attempts: 1, dueMs: null, isAttemptOpen: false },
  ],
  [
    'what is cancelled but shipped is shipped',
    { isCancelRequested: true, mustLookUp: true },
    shipped,
    { state: 'Shipped', attempts: 2 },
  ],
  [
    'an early 404 cancels nothing',
    { isCancelRequested: true, mustLookUp: true },
    { kind: 'not_found' },
    { state: 'Processing', isAttemptOpen: true, eventType: null },
  ],
  [
    'a settled 404 cancels what was unknown, whatever the counts',
    { isCancelRequested: true, mustLookUp: true, isSettled: true, attempts: 99, ageMs: 9e9 },
    { kind: 'not_found' },
    { state: 'Cancelled', attempts: 99, isAttemptOpen: false },
  ],
  [
    'also what is held',
    { isCancelRequested: true, mustLookUp: true, isSettled: true },
    { kind: 'not_found' },
    { state: 'Cancelled' },
    { unknownOutcome: 'hold' },
  ],
  [
    'a look-up without answer cancels nothing',
    { isCancelRequested: true, mustLookUp: true, isSettled: true },
    { kind: 'no_answer', error: 'x' },
    { state: 'Retrying', isAttemptOpen: true },
  ],
  [
    'what was handed back is as it was',
    {},
    { kind: 'handed_back' },
    { state: 'Processing', attempts: 1, isAttemptOpen: false, dueMs: 0, sequence: 4, eventType: null },
  ],
  [
    'a look-up that was handed back stays open',
    { mustLookUp: true },
    { kind: 'handed_back' },
    { attempts: 2, isAttemptOpen: true, settleMs: undefined, dueMs: 0, eventType: null },
  ],
];

for (const [name, change, outcome, expected, more] of table) {
  test(`in the table, ${name}`, () => {
    const decision = decide({ ...held, ...change }, outcome, call, { ...policy, ...more });
    assert.deepEqual({ ...decision, ...expected }, decision);
  });
}

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
    { kind: 'held_back', error: 'h' },
    { kind: 'cancelled' },
  ),
  fc
    .double({ min: 0, max: 1e12, noNaN: true })
    .map((retryAfterMs): Outcome => ({ kind: 'not_booked', error: 'b', retryAfterMs })),
);
const anyHeld: fc.Arbitrary<Held> = fc
  .record({
    state: fc.constantFrom<Held['state']>('Processing', 'Retrying'),
    sequence: fc.integer({ min: 1, max: 1_000 }),
    counted: fc.integer({ min: 1, max: 12 }),
    abandoned: fc.integer({ min: 0, max: 5 }),
    attemptsBefore: fc.integer({ min: 0, max: 5 }),
    mayResend: fc.boolean(),
    isCancelRequested: fc.boolean(),
    retries: fc.integer({ min: 0, max: 100 }),
    mustLookUp: fc.boolean(),
    isSettled: fc.boolean(),
    ageMs: fc.integer({ min: 0, max: 200_000_000 }),
    kept: fc.integer({ min: 0, max: 20 }),
  })
  .map(({ counted, kept, ...rest }) => ({
    ...held,
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
    attemptsMax: fc.integer({ min: 1, max: 10 }),
    unknownOutcome: fc.constantFrom<Policy['unknownOutcome']>('lookup', 'hold'),
  })
  .map((some): Policy => ({ ...policy, ...some }));

/** Outcomes that only a POST, or only a look-up, can have. */
const canHave = (h: Held, { kind }: Outcome): boolean => {
  if (h.mustLookUp) return ['shipped', 'not_found', 'no_answer', 'held_back', 'handed_back'].includes(kind);
  if (h.isCancelRequested) return kind === 'cancelled';
  return !['not_found', 'no_answer'].includes(kind);
};

const isEvent = createValidator(FulfillmentEvent);

test('every decision keeps the rules, whatever was held and whatever came of it', () => {
  const property = fc.property(anyHeld, anyOutcome, anyCall, anyPolicy, (h, outcome, c, p) => {
    fc.pre(canHave(h, outcome));
    const d = decide(h, outcome, c, p);
    const isFinal = ['Shipped', 'Failed', 'Cancelled'].includes(d.state);
    assert.equal(d.dueMs === null, isFinal, 'open ones are due, final ones are not');
    if (isFinal) assert.equal(d.isAttemptOpen, false);
    for (const whole of [d.dueMs ?? 0, d.settleMs ?? 0, d.attempts, d.retries, d.sequence]) {
      assert.ok(Number.isInteger(whole) && whole >= 0 && whole < 2 ** 31, `PostgreSQL takes ${whole} as an integer`);
    }
    assert.ok((d.dueMs ?? 0) <= Math.max(300_000, p.backoffMaxMs), 'nobody waits longer than the caps');
    assert.equal(d.sequence, h.sequence + (d.eventType === null ? 0 : 1), 'a told change has the next sequence');
    if (d.state !== h.state || isFinal) assert.notEqual(d.eventType, null, 'a new state is told');
    assert.ok(d.failedAttempts.length <= 20);
    assert.equal([d.orderId, d.claim].join(), [h.orderId, h.claim].join(), 'the claim fences the write');
    const notCalled = ['not_sent', 'misconfigured', 'handed_back', 'held_back', 'cancelled'].includes(outcome.kind);
    const uncounted = notCalled && !h.mustLookUp && !h.isCancelRequested;
    assert.equal(d.attempts, h.attempts - (uncounted ? 1 : 0));
    if (d.state === 'Shipped') assert.equal(outcome.kind, 'shipped');
    if (d.state === 'Failed') {
      assert.ok(['refused', 'not_booked', 'not_sent', 'not_found'].includes(outcome.kind), 'a definite answer');
      const isExhausted = h.attempts - h.abandoned - h.attemptsBefore >= p.attemptsMax || h.ageMs > p.deadlineMs;
      assert.ok(outcome.kind === 'refused' || isExhausted);
      if (outcome.kind === 'not_found') assert.ok(h.isSettled && (p.unknownOutcome === 'lookup' || h.mayResend));
    }
    if (d.state === 'Cancelled') {
      assert.ok(outcome.kind === 'cancelled' || (outcome.kind === 'not_found' && h.isSettled && h.isCancelRequested));
    }
    const isUnknown = ['unknown', 'no_answer'].includes(outcome.kind) || (h.mustLookUp && outcome.kind === 'held_back');
    if (isUnknown) assert.ok(d.isAttemptOpen, 'unknown stays open');
    if (d.eventType !== null) {
      const event = JSON.parse(JSON.stringify(toEvent(h, d, d.eventType, c.now)));
      assert.deepEqual(isEvent.faults(event), []);
      assert.equal(event.fulfillment.status, d.state);
    }
  });
  fc.assert(property, { numRuns: 5_000 });
});

test('a fulfillment with random outcomes never sends while an outcome is unknown and counts only what it should', () => {
  const life = fc.array(fc.record({ outcome: anyOutcome, isSettled: fc.boolean() }), { minLength: 1, maxLength: 60 });
  const property = fc.property(life, anyCall, anyPolicy, (steps, c, p) => {
    let row = { ...held, attempts: 0, sequence: 1, retries: 0, failedAttempts: [] as Held['failedAttempts'] };
    let isOpen = false;
    let counted = 0;
    for (const { outcome, isSettled } of steps) {
      const h: Held = { ...row, attempts: row.attempts + (isOpen ? 0 : 1), mustLookUp: isOpen, isSettled };
      if (!canHave(h, outcome)) continue;
      if (!h.mustLookUp && ['not_booked', 'unknown', 'refused', 'shipped'].includes(outcome.kind)) counted += 1;
      const d = decide(h, outcome, c, p);
      assert.equal(d.attempts, counted);
      assert.ok(counted <= p.attemptsMax || d.isAttemptOpen || d.state === 'Shipped' || outcome.kind === 'refused');
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
  let row: Held = { ...held, failedAttempts: [] };
  const end = (outcome: Outcome) => {
    const { state, attempts, retries, failedAttempts } = decide(row, outcome, call, policy);
    assert.equal(state, 'Retrying');
    row = { ...row, attempts: attempts + 1, retries, failedAttempts };
  };
  end({ kind: 'not_booked', error: '503', retryAfterMs: 0 });
  for (let i = 0; i < 50; i += 1) end({ kind: 'held_back', error: 'circuit breaker open' });
  end({ kind: 'not_booked', error: '503', retryAfterMs: 0 });
  assert.deepEqual(
    row.failedAttempts.map(({ outcome }) => outcome),
    ['not_booked', 'held_back', 'not_booked'],
  );
});
