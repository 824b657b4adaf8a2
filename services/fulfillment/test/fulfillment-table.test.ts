import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Claimed, type Decision, decide, type Policy } from '../src/fulfillment.ts';
import type { Outcome } from '../src/outcome.ts';
import { call, claimed, policy, shipped } from './claimed.ts';

/** The table of the provider's answers in docs/contract.md, and the text around it. */
const table: [string, Partial<Claimed>, Outcome, Partial<Decision>, Partial<Policy>?][] = [
  [
    'a shipment ships',
    {},
    shipped,
    { state: 'Shipped', attempts: 2, dueMs: null, eventType: 'OrderFulfilled' },
  ],
  [
    'a look-up adopts',
    { mustLookUp: true },
    shipped,
    { state: 'Shipped', attempts: 2, isAttemptOpen: false },
  ],
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
  [
    'Retry-After is honoured',
    {},
    { kind: 'not_booked', error: 'x', retryAfterMs: 7_000 },
    { dueMs: 7_000 },
  ],
  [
    'Retry-After is capped',
    {},
    { kind: 'not_booked', error: 'x', retryAfterMs: 9e9 },
    { dueMs: 300_000 },
  ],
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
    {
      state: 'Processing',
      isAttemptOpen: true,
      settleMs: undefined,
      dueMs: 2_000,
      eventType: null,
      sequence: 4,
    },
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
    'what the breaker put off never fails, counts nothing and is no attempt',
    { attempts: 9, ageMs: 9e9 },
    { kind: 'put_off', error: 'circuit breaker open' },
    { state: 'Retrying', attempts: 8, isAttemptOpen: false, error: 'circuit breaker open' },
  ],
  [
    'a look-up that the breaker put off stays open',
    { mustLookUp: true },
    { kind: 'put_off', error: 'circuit breaker open' },
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
    {
      state: 'Cancelled',
      attempts: 2,
      dueMs: null,
      isAttemptOpen: false,
      eventType: 'OrderCancelled',
      sequence: 5,
    },
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
    'also what waits for an operator',
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
    {
      state: 'Processing',
      attempts: 1,
      isAttemptOpen: false,
      dueMs: 0,
      sequence: 4,
      eventType: null,
    },
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
    const decision = decide({ ...claimed, ...change }, outcome, call, { ...policy, ...more });
    assert.deepEqual({ ...decision, ...expected }, decision);
  });
}
