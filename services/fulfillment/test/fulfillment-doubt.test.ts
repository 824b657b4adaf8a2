import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Claimed, type Decision, decide, type Policy } from '../src/fulfillment.ts';
import type { Outcome } from '../src/outcome.ts';
import { call, claimed, policy, shipped } from './claimed.ts';

/** Outcomes in doubt: what is looked up first, and what waits for the deadline or an operator. */
const table: [string, Partial<Claimed>, Outcome, Partial<Decision>, Partial<Policy>?][] = [
  [
    'without a maximum only the deadline ends it',
    { attempts: 5_000 },
    { kind: 'not_booked', error: '429', retryAfterMs: 0, status: 429 },
    { state: 'Retrying', isWaitingForProvider: true },
    { attemptsMax: null },
  ],
  [
    'a refusal after an unknown outcome is looked up before it fails',
    { wasUnknown: true },
    { kind: 'refused', error: 'already exists' },
    { state: 'Retrying', isAttemptOpen: true, refusal: 'already exists', settleMs: 2_000 },
  ],
  [
    'so is the last counted attempt after an unknown outcome',
    { wasUnknown: true, attempts: 8 },
    { kind: 'not_booked', error: '503', retryAfterMs: 0 },
    { state: 'Retrying', isAttemptOpen: true, refusal: '503' },
  ],
  [
    'a look-up without answer keeps the refusal',
    { wasUnknown: true, mustLookUp: true, refusal: 'no' },
    { kind: 'no_answer', error: 'x' },
    { state: 'Retrying', isAttemptOpen: true, refusal: 'no' },
  ],
  [
    'a look-up that finds nothing confirms the refusal',
    { wasUnknown: true, mustLookUp: true, refusal: 'no', isSettled: true },
    { kind: 'not_found' },
    { state: 'Failed', error: 'no' },
  ],
  [
    'a look-up that finds the shipment overrides the refusal',
    { wasUnknown: true, mustLookUp: true, refusal: 'no' },
    shipped,
    { state: 'Shipped', error: null },
  ],
  [
    'what is held stays held without the policy, and nothing is published of it',
    { mustLookUp: true, isHeld: true, isSettled: true },
    { kind: 'not_found' },
    { isAttemptOpen: true, isHeld: true, eventType: null, sequence: 4 },
  ],
];

for (const [name, change, outcome, expected, more] of table) {
  test(`in the table, ${name}`, () => {
    const decision = decide({ ...claimed, ...change }, outcome, call, { ...policy, ...more });
    assert.deepEqual({ ...decision, ...expected }, decision);
  });
}
