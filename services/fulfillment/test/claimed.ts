import type { Claimed, Policy } from '../src/fulfillment.ts';
import type { Outcome } from '../src/outcome.ts';

export const policy = {
  attemptsMax: 8,
  deadlineMs: 86_400_000,
  backoffMs: 500,
  backoffMaxMs: 60_000,
  settleMs: 2_000,
  unknownOutcome: 'lookup',
} satisfies Policy;
export const claimed: Claimed = {
  orderId: '01900000-0000-7000-8000-000000000001',
  claim: 3,
  state: 'Processing',
  sequence: 4,
  attempts: 2,
  abandoned: 0,
  attemptsBefore: 0,
  retries: 1,
  mustLookUp: false,
  wasUnknown: false,
  refusal: null,
  isHeld: false,
  isSettled: false,
  mayResend: false,
  isCancelRequested: false,
  ageMs: 1_000,
  failedAttempts: [],
  payload: '{}',
  correlationId: 'c',
  traceparent: null,
};
export const call = { durationMs: 12.6, now: new Date('2026-01-20T21:09:00.000Z'), random: 0.5 };
export const shipped: Outcome = {
  kind: 'shipped',
  trackingNumber: 'T1',
  carrier: 'C',
  shippedAt: '2026-01-20T21:09:00.000Z',
};
