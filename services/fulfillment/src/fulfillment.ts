import {
  type FailedAttempt,
  type FulfillmentEvent,
  type FulfillmentEventType,
  fulfillmentEventsTopic,
} from '@orders/contracts/fulfillment-events';
import { eventIdOf } from '@orders/platform/event-id';

/** What came of one call to the provider, or of the decision not to call. */
export type Outcome =
  | { kind: 'shipped'; trackingNumber: string; carrier: string | null; shippedAt: string }
  /** The provider will never take it. */
  | { kind: 'refused'; error: string }
  /** The provider did not book it and may be asked again, not before `retryAfterMs`. */
  | { kind: 'not_booked'; error: string; retryAfterMs: number }
  /** The call did not leave: refused connection, unknown host, open breaker. */
  | { kind: 'not_sent'; error: string }
  /** The provider takes none of our calls: wrong address or credentials. */
  | { kind: 'misconfigured'; error: string }
  /** The shipment may exist: only a look-up can tell. */
  | { kind: 'unknown'; error: string }
  /** A look-up found no shipment. */
  | { kind: 'not_found' }
  /** A look-up got no answer. */
  | { kind: 'no_answer'; error: string }
  /** The lease was too old to send: the row goes back as it was. */
  | { kind: 'handed_back' };

/** A fulfillment that this instance holds; `claim` fences everything it writes. */
export type Held = {
  orderId: string;
  claim: number;
  state: 'Processing' | 'Retrying';
  sequence: number;
  /** POSTs begun, the open one included. */
  attempts: number;
  /** Of these, given up in mid-call by a process that died; they do not count towards the maximum. */
  abandoned: number;
  /** Times it was put off, for the backoff. */
  retries: number;
  /** An attempt is open that this instance did not begin: look up before sending. */
  mustLookUp: boolean;
  /** A 404 of a look-up counts only when the provider had this time since the sending. */
  isSettled: boolean;
  ageMs: number;
  /** When it was filed; for people. */
  startedAt?: string;
  failedAttempts: FailedAttempt[];
  /** Body of the POST to the provider. */
  payload: string;
  correlationId: string | null;
  traceparent: string | null;
};

export type Policy = {
  attemptsMax: number;
  deadlineMs: number;
  backoffMs: number;
  backoffMaxMs: number;
  settleMs: number;
  /** `hold`: what is unknown is never sent again, only looked up. */
  unknownOutcome: 'lookup' | 'hold';
};

/** What is written of a fulfillment after an outcome, and told as an event where one is named. */
export type Decision = {
  orderId: string;
  claim: number;
  state: 'Processing' | 'Retrying' | 'Shipped' | 'Failed';
  sequence: number;
  attempts: number;
  retries: number;
  isAttemptOpen: boolean;
  /** From now, when a look-up's 404 counts; null where nothing is unknown; undefined keeps what is there. */
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
 * The transition table of a fulfillment: pure. `now` is for what people read; what processes compare are durations, which
 * PostgreSQL adds to its own clock. `random` is uniform in [0, 1).
 */
export function decide(
  held: Held,
  outcome: Outcome,
  call: { durationMs: number; now: Date; random: number },
  policy: Policy,
): Decision {
  const same = keep(held);
  const uncounted = { ...same, attempts: held.attempts - 1 };
  switch (outcome.kind) {
    case 'shipped': {
      const { trackingNumber, carrier, shippedAt } = outcome;
      return told(same, 'Shipped', 'OrderFulfilled', { shipment: { trackingNumber, carrier, shippedAt }, error: null });
    }
    case 'refused':
      return fail(same, outcome.error);
    case 'not_booked':
      return isExhausted()
        ? fail(same, outcome.error)
        : later(same, outcome.error, Math.min(outcome.retryAfterMs, retryAfterMaxMs));
    case 'not_sent':
      return isOverdue() ? fail(uncounted, outcome.error) : later(uncounted, outcome.error);
    case 'misconfigured':
      return later(uncounted, outcome.error);
    case 'unknown':
      return later({ ...same, isAttemptOpen: true, settleMs: policy.settleMs }, outcome.error);
    case 'no_answer':
      return later({ ...same, isAttemptOpen: true, settleMs: undefined }, outcome.error);
    case 'not_found':
      return afterNotFound();
    case 'handed_back':
      if (held.mustLookUp) return { ...same, isAttemptOpen: true, settleMs: undefined, dueMs: 0 };
      return { ...uncounted, dueMs: 0 };
  }

  function afterNotFound(): Decision {
    if (!held.isSettled) return { ...same, isAttemptOpen: true, settleMs: undefined, dueMs: policy.settleMs };
    if (policy.unknownOutcome === 'hold') {
      return later({ ...same, isAttemptOpen: true, settleMs: undefined }, 'outcome unknown, held for an operator');
    }
    const last = held.failedAttempts.at(-1)?.error ?? 'the outcome was unknown and the provider has no shipment';
    return isExhausted() ? fail(same, last) : { ...same, dueMs: 0 };
  }
  function later(from: Decision, error: string, atLeastMs = 0): Decision {
    // Retry-After may be a fraction of a second, the column takes whole milliseconds.
    const dueMs = Math.max(Math.ceil(atLeastMs), backoffOf(held.retries, call.random, policy));
    return told({ ...from, retries: held.retries + 1 }, 'Retrying', 'FulfillmentRetrying', {
      dueMs,
      ...withFailure(error),
    });
  }
  function fail(from: Decision, error: string): Decision {
    return told(from, 'Failed', 'OrderFailed', withFailure(error));
  }
  function withFailure(error: string): Pick<Decision, 'error' | 'failedAttempts'> {
    const { durationMs, now } = call;
    const failed = { at: now.toISOString(), outcome: outcome.kind, error, durationMs: Math.round(durationMs) };
    return { error, failedAttempts: [...held.failedAttempts, failed].slice(-failedAttemptsKept) };
  }
  function isOverdue(): boolean {
    return held.ageMs > policy.deadlineMs;
  }
  function isExhausted(): boolean {
    return held.attempts - held.abandoned >= policy.attemptsMax || isOverdue();
  }
}

/** The row as it is. */
function keep(held: Held): Decision {
  const { orderId, claim, state, sequence, attempts, retries, failedAttempts } = held;
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

/** Exponential backoff with full jitter (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015). */
export function backoffOf(retries: number, random: number, { backoffMs, backoffMaxMs }: Policy): number {
  return Math.round(random * Math.min(backoffMaxMs, backoffMs * 2 ** Math.min(retries, 30)));
}

/** The event that tells a decision: it carries the whole fulfillment. */
export function toEvent(held: Held, decision: Decision, eventType: FulfillmentEventType, now: Date): FulfillmentEvent {
  const { state, shipment, sequence, dueMs } = decision;
  return {
    eventType,
    schemaVersion: 1,
    eventId: eventIdOf(fulfillmentEventsTopic, held.orderId, sequence),
    orderId: held.orderId,
    sequence,
    occurredAt: now.toISOString(),
    metadata: metadataOf(held.correlationId),
    fulfillment: {
      status: state,
      trackingNumber: shipment?.trackingNumber ?? null,
      carrier: shipment?.carrier ?? null,
      shippedAt: shipment?.shippedAt ?? null,
      errorMessage: decision.error,
      attempts: decision.attempts,
      nextAttemptAt: dueMs === null ? null : new Date(now.getTime() + dueMs).toISOString(),
      failedAttempts: decision.failedAttempts,
      ...(held.startedAt !== undefined && { startedAt: held.startedAt }),
    },
  };
}

/** The event of a fulfillment that was just filed, sequence 1. */
export function startedEvent(orderId: string, correlationId: string | null, now: Date): FulfillmentEvent {
  return {
    eventType: 'FulfillmentStarted',
    schemaVersion: 1,
    eventId: eventIdOf(fulfillmentEventsTopic, orderId, 1),
    orderId,
    sequence: 1,
    occurredAt: now.toISOString(),
    metadata: metadataOf(correlationId),
    fulfillment: {
      status: 'Processing',
      trackingNumber: null,
      carrier: null,
      shippedAt: null,
      errorMessage: null,
      attempts: 0,
      nextAttemptAt: null,
      failedAttempts: [],
      startedAt: now.toISOString(),
    },
  };
}

const metadataOf = (correlationId: string | null) => ({
  source: 'FulfillmentService',
  ...(correlationId !== null && { correlationId }),
});
