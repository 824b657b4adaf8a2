import type { Claimed, Decision } from '../src/fulfillment.ts';

/** A row of `fulfillments` as the simulation has it; times are milliseconds. */
export type Row = Omit<
  Claimed,
  'state' | 'mustLookUp' | 'isSettled' | 'isCancelRequested' | 'ageMs'
> & {
  state: Decision['state'];
  claimedBy: 0 | 1 | null;
  isOpen: boolean;
  settleAt: number | null;
  dueAt: number | null;
  since: number;
  isMarked: boolean;
};

/** As the filing writes it: claimed where it is handed over. */
export function newRow(
  claimedBy: 0 | 1 | null,
  now: number,
  leaseMs: number,
  isMarked: boolean,
): Row {
  const isOpen = claimedBy !== null;
  return {
    orderId: 'o',
    claim: Number(isOpen),
    state: 'Processing',
    sequence: 1,
    claimedBy,
    attempts: Number(isOpen),
    abandoned: 0,
    attemptsBefore: 0,
    retries: 0,
    isOpen,
    settleAt: null,
    wasUnknown: false,
    refusal: null,
    isHeld: false,
    mayResend: false,
    dueAt: isOpen ? now + leaseMs : now,
    since: now,
    isMarked,
    failedAttempts: [],
    payload: '',
    correlationId: null,
    traceparent: null,
  };
}
