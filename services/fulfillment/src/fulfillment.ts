import type { FailedAttempt, FulfillmentEventType } from '@orders/contracts/fulfillments/events';
import { type BackoffLimits, backoffOf } from './backoff.ts';
import { isOfProvider, notAttempts, type Outcome } from './outcome.ts';

/** A fulfillment that this instance holds; `claim` fences everything it writes. */
export type Claimed = {
  orderId: string;
  claim: number;
  state: 'Processing' | 'Retrying';
  sequence: number;
  /** POSTs begun, the open one included. */
  attempts: number;
  /**
   * Of these, given up in mid-call by a process that died; they do not count towards the maximum.
   */
  abandoned: number;
  /** Of the others, those before an operator's last retry, which begins a new count. */
  attemptsBefore: number;
  /** Times it was put off, for the backoff. */
  retries: number;
  /** An attempt is open that this instance did not begin: look up before sending. */
  mustLookUp: boolean;
  /** An attempt of it was open once: what refuses it now may be the answer to a second sending. */
  wasUnknown: boolean;
  /** It was refused while an earlier outcome was unknown; it fails if a look-up finds nothing. */
  refusal: string | null;
  /** A 404 of a look-up counts only when the provider had this time since the sending. */
  isSettled: boolean;
  /** It waits for an operator, whatever the policy of this instance is. */
  isHeld: boolean;
  /** An operator has allowed to send again what awaits an operator. Ends when an attempt begins. */
  mayResend: boolean;
  /** The customer wants it no more. The claim saw it, and has begun no attempt. */
  isCancelRequested: boolean;
  /** Since it was filed, or last retried by an operator. */
  ageMs: number;
  /** When its event was published and when it was filed; for people. */
  publishedAt?: string | null;
  startedAt?: string;
  failedAttempts: FailedAttempt[];
  /** Body of the POST to the provider. */
  payload: string;
  correlationId: string | null;
  traceparent: string | null;
};

export type Policy = BackoffLimits & {
  /** Counted attempts after which an order fails; null where only the deadline ends it. */
  attemptsMax: number | null;
  deadlineMs: number;
  settleMs: number;
  /** `hold`: what is unknown is never sent again, only looked up. */
  unknownOutcome: 'lookup' | 'hold';
};

/** The row after an outcome, and the event that is published of it where one is named. */
export type Decision = {
  orderId: string;
  claim: number;
  state: 'Processing' | 'Retrying' | 'Shipped' | 'Failed' | 'Cancelled';
  sequence: number;
  attempts: number;
  retries: number;
  isAttemptOpen: boolean;
  refusal: string | null;
  isHeld: boolean;
  /** It waits for the provider, not for itself: when that is back, it is due at once. */
  isWaitingForProvider: boolean;
  /**
   * From now, when a look-up's 404 counts; null where nothing is unknown; undefined keeps what is
   * there.
   */
  settleMs: number | null | undefined;
  /** From now, when it is taken up again; null when it is final. */
  dueMs: number | null;
  shipment: { trackingNumber: string; carrier: string | null; shippedAt: string } | null;
  error: string | null;
  failedAttempts: FailedAttempt[];
  eventType: FulfillmentEventType | null;
};

const failedAttemptsKept = 20;
/** The longest a provider may keep an order waiting by Retry-After. */
const retryAfterMaxMs = 300_000;

/**
 * The transition table of a fulfillment: pure. `now` is for what people read; what processes
 * compare are durations, which PostgreSQL adds to its own clock. `random` is uniform in [0, 1).
 */
export function decide(
  claimed: Claimed,
  outcome: Outcome,
  call: { durationMs: number; now: Date; random: number },
  policy: Policy,
): Decision {
  const same = keep(claimed);
  const { refusal, isHeld } = claimed;
  const stillOpen = { ...same, isAttemptOpen: true, settleMs: undefined, refusal, isHeld };
  // Where the claim knew of the cancellation it has begun no attempt that could be taken back.
  const uncounted = claimed.isCancelRequested ? same : { ...same, attempts: claimed.attempts - 1 };
  switch (outcome.kind) {
    case 'shipped': {
      const { trackingNumber, carrier, shippedAt } = outcome;
      return changed(same, 'Shipped', 'OrderFulfilled', {
        shipment: { trackingNumber, carrier, shippedAt },
        error: null,
      });
    }
    case 'refused':
      return fail(same, outcome.error);
    case 'not_booked':
      return isExhausted()
        ? fail(same, outcome.error)
        : later(same, outcome.error, outcome.retryAfterMs);
    case 'not_sent':
      return isOverdue() ? fail(uncounted, outcome.error) : later(uncounted, outcome.error);
    case 'put_off':
      return later(claimed.mustLookUp ? stillOpen : uncounted, outcome.error);
    case 'misconfigured':
      return later(uncounted, outcome.error);
    case 'unknown':
      return later({ ...stillOpen, settleMs: policy.settleMs }, outcome.error);
    case 'no_answer':
      return later(stillOpen, outcome.error, outcome.retryAfterMs);
    case 'not_found':
      return afterNotFound();
    case 'cancelled':
      return changed(uncounted, 'Cancelled', 'OrderCancelled', {});
    case 'handed_back':
      return { ...(claimed.mustLookUp ? stillOpen : uncounted), dueMs: 0 };
  }

  function afterNotFound(): Decision {
    // I8: "not found" counts only after the settle time.
    if (!claimed.isSettled) return { ...stillOpen, dueMs: policy.settleMs };
    // Nothing is booked and nothing will be: also what waits for an operator may end so.
    if (claimed.isCancelRequested) return changed(same, 'Cancelled', 'OrderCancelled', {});
    if (refusal !== null) return end(same, refusal);
    if ((policy.unknownOutcome === 'hold' || isHeld) && !claimed.mayResend) {
      return later({ ...stillOpen, isHeld: true }, 'outcome unknown, waits for an operator');
    }
    const last =
      claimed.failedAttempts.at(-1)?.error ??
      'the outcome was unknown and the provider has no shipment';
    return isExhausted() ? end(same, last) : { ...same, dueMs: 0 };
  }
  function later(from: Decision, error: string, atLeastMs = 0): Decision {
    // Retry-After may be a fraction of a second, the column takes whole milliseconds.
    const leastMs = Math.ceil(Math.min(atLeastMs, retryAfterMaxMs));
    const dueMs = Math.max(leastMs, backoffOf(claimed.retries, call.random, policy));
    const isWaitingForProvider = isOfProvider(outcome);
    const retried = { ...from, retries: claimed.retries + 1, isWaitingForProvider };
    const more = { dueMs, ...withFailure(error) };
    // Nothing changes for the customer while it is looked up on behalf of an operator.
    if (claimed.isHeld) return { ...retried, ...more };
    return changed(retried, 'Retrying', 'FulfillmentRetrying', more);
  }
  /**
   * A refusal may answer the second sending of what the first has booked, and a look-up may have
   * been too early to see it: after an unknown outcome the provider is asked once more.
   */
  function fail(from: Decision, error: string): Decision {
    if (!claimed.wasUnknown) return end(from, error);
    const settleMs = policy.settleMs;
    return later({ ...from, isAttemptOpen: true, settleMs, refusal: error }, error, settleMs);
  }
  // I9: called only for a definite answer; an unknown outcome stays open.
  function end(from: Decision, error: string): Decision {
    return changed(from, 'Failed', 'OrderFailed', withFailure(error));
  }
  function withFailure(error: string): Pick<Decision, 'error' | 'failedAttempts'> {
    const { durationMs, now } = call;
    const failed = {
      at: now.toISOString(),
      outcome: outcome.kind,
      error,
      durationMs: Math.round(durationMs),
    };
    const isRepeated =
      notAttempts.has(outcome.kind) && claimed.failedAttempts.at(-1)?.outcome === outcome.kind;
    const before = isRepeated ? claimed.failedAttempts.slice(0, -1) : claimed.failedAttempts;
    return { error, failedAttempts: [...before, failed].slice(-failedAttemptsKept) };
  }
  function isOverdue(): boolean {
    return claimed.ageMs > policy.deadlineMs;
  }
  function isExhausted(): boolean {
    const counted = claimed.attempts - claimed.abandoned - claimed.attemptsBefore;
    return counted >= (policy.attemptsMax ?? Number.POSITIVE_INFINITY) || isOverdue();
  }
}

/** The row as it is. */
function keep(claimed: Claimed): Decision {
  const { orderId, claim, state, sequence, attempts, retries, failedAttempts } = claimed;
  return {
    orderId,
    claim,
    state,
    sequence,
    attempts,
    retries,
    isAttemptOpen: false,
    refusal: null,
    isHeld: false,
    isWaitingForProvider: false,
    settleMs: null,
    dueMs: null,
    shipment: null,
    error: failedAttempts.at(-1)?.error ?? null,
    failedAttempts,
    eventType: null,
  };
}

function changed(
  from: Decision,
  state: Decision['state'],
  eventType: FulfillmentEventType,
  more: Partial<Decision>,
): Decision {
  return { ...from, state, eventType, sequence: from.sequence + 1, dueMs: null, ...more };
}
