import type { FailedAttempt, FulfillmentEventType } from '@orders/contracts/fulfillments/events';
import { type BackoffLimits, backoffOf } from './backoff.ts';

/** What came of one call to the provider, or of the decision not to call. */
export type Outcome =
  | { kind: 'shipped'; trackingNumber: string; carrier: string | null; shippedAt: string }
  /** The provider will never take it. */
  | { kind: 'refused'; error: string }
  /** The provider did not book it and may be asked again, not before `retryAfterMs`. */
  | { kind: 'not_booked'; error: string; retryAfterMs: number; status?: number }
  /** The call did not leave: refused connection, unknown host. */
  | { kind: 'not_sent'; error: string }
  /** The breaker let no call leave. That says nothing of this order, so it never fails for it. */
  | { kind: 'put_off'; error: string }
  /** The provider takes none of our calls: wrong address or credentials. */
  | { kind: 'misconfigured'; error: string }
  /** The shipment may exist: only a look-up can tell. */
  | { kind: 'unknown'; error: string; status?: number }
  /** A look-up found no shipment. */
  | { kind: 'not_found' }
  /**
   * A look-up got no answer; none comes before `retryAfterMs` either, where the provider says so.
   */
  | { kind: 'no_answer'; error: string; retryAfterMs?: number; status?: number }
  /** Its cancellation was requested before the call left. */
  | { kind: 'cancelled' }
  /** The lease was too old to send: the row goes back as it was. */
  | { kind: 'handed_back' };

/** Outcomes of which the provider knows nothing. */
export const nobodyCalled: ReadonlySet<Outcome['kind']> = new Set([
  'put_off',
  'cancelled',
  'handed_back',
]);

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
  /** A 404 of a look-up counts only when the provider had this time since the sending. */
  isSettled: boolean;
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
  attemptsMax: number;
  deadlineMs: number;
  settleMs: number;
  /** `hold`: what is unknown is never sent again, only looked up. */
  unknownOutcome: 'lookup' | 'hold';
};

/** What is written of a fulfillment after an outcome, and told as an event where one is named. */
export type Decision = {
  orderId: string;
  claim: number;
  state: 'Processing' | 'Retrying' | 'Shipped' | 'Failed' | 'Cancelled';
  sequence: number;
  attempts: number;
  retries: number;
  isAttemptOpen: boolean;
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
/**
 * These go on for as long as an outage lasts: only the last of a row of equal ones is kept, or they
 * would crowd out the attempts.
 */
const notAttempts = new Set<Outcome['kind']>([
  'not_sent',
  'put_off',
  'misconfigured',
  'no_answer',
  'not_found',
]);
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
  const stillOpen: Decision = { ...same, isAttemptOpen: true, settleMs: undefined };
  // Where the claim knew of the cancellation it has begun no attempt that could be taken back.
  const uncounted = claimed.isCancelRequested ? same : { ...same, attempts: claimed.attempts - 1 };
  switch (outcome.kind) {
    case 'shipped': {
      const { trackingNumber, carrier, shippedAt } = outcome;
      return told(same, 'Shipped', 'OrderFulfilled', {
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
      return told(uncounted, 'Cancelled', 'OrderCancelled', {});
    case 'handed_back':
      return { ...(claimed.mustLookUp ? stillOpen : uncounted), dueMs: 0 };
  }

  function afterNotFound(): Decision {
    // I8: "not found" counts only after the settle time.
    if (!claimed.isSettled) return { ...stillOpen, dueMs: policy.settleMs };
    // Nothing is booked and nothing will be: also what is waits for an operator may end so.
    if (claimed.isCancelRequested) return told(same, 'Cancelled', 'OrderCancelled', {});
    if (policy.unknownOutcome === 'hold' && !claimed.mayResend) {
      return later(stillOpen, 'outcome unknown, waits for an operator');
    }
    const last =
      claimed.failedAttempts.at(-1)?.error ??
      'the outcome was unknown and the provider has no shipment';
    return isExhausted() ? fail(same, last) : { ...same, dueMs: 0 };
  }
  function later(from: Decision, error: string, atLeastMs = 0): Decision {
    // Retry-After may be a fraction of a second, the column takes whole milliseconds.
    const leastMs = Math.ceil(Math.min(atLeastMs, retryAfterMaxMs));
    const dueMs = Math.max(leastMs, backoffOf(claimed.retries, call.random, policy));
    return told({ ...from, retries: claimed.retries + 1 }, 'Retrying', 'FulfillmentRetrying', {
      dueMs,
      ...withFailure(error),
    });
  }
  // I9: called only for a definite answer; an unknown outcome stays open.
  function fail(from: Decision, error: string): Decision {
    return told(from, 'Failed', 'OrderFailed', withFailure(error));
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
    return (
      claimed.attempts - claimed.abandoned - claimed.attemptsBefore >= policy.attemptsMax ||
      isOverdue()
    );
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
    settleMs: null,
    dueMs: null,
    shipment: null,
    error: failedAttempts.at(-1)?.error ?? null,
    failedAttempts,
    eventType: null,
  };
}

function told(
  from: Decision,
  state: Decision['state'],
  eventType: FulfillmentEventType,
  more: Partial<Decision>,
): Decision {
  return { ...from, state, eventType, sequence: from.sequence + 1, dueMs: null, ...more };
}
