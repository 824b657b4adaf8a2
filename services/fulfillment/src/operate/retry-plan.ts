import type {
  FulfillmentState,
  RetrySkipped,
  RetryTouched,
} from '@orders/contracts/fulfillments/api';
import type { FailedAttempt } from '@orders/contracts/fulfillments/events';

/**
 * A fulfillment that an operator may want retried, as it was read; `claim` and `sequence` fence
 * what is written of it.
 */
export type RetryCandidate = {
  orderId: string;
  state: FulfillmentState;
  claim: number;
  sequence: number;
  attempts: number;
  error: string | null;
  failedAttempts: FailedAttempt[];
  isAttemptOpen: boolean;
  isGivenUp: boolean;
  /** Its lease runs: somebody works on it now. */
  isInHand: boolean;
  /** From now until it is due anyway; null when it is final. */
  dueInMs: number | null;
  isCancelRequested: boolean;
  correlationId: string | null;
  traceparent: string | null;
  publishedAt?: string | null;
  /** When it was filed. */
  startedAt: string;
};

/** One fulfillment that is retried, due in `dueMs`. */
export type PlannedRetry = {
  candidate: RetryCandidate;
  dueMs: number;
  entry: Omit<RetryTouched, 'dueAt'>;
};

export type RetryPlan = { retries: PlannedRetry[]; skipped: RetrySkipped[] };

/**
 * What a retry does to each candidate: pure, the same for a dry run and a real one. Retries become
 * due one after the other, at most `ratePerSecond` a second; what would be due sooner anyway is
 * never put off.
 */
export function planRetry(candidates: RetryCandidate[], ratePerSecond: number): RetryPlan {
  const plan: RetryPlan = { retries: [], skipped: [] };
  for (const candidate of candidates) {
    const { orderId, state, attempts, error: lastError, dueInMs } = candidate;
    if (candidate.isInHand) plan.skipped.push({ orderId, why: 'is being worked on now' });
    else if (candidate.isGivenUp) plan.skipped.push({ orderId, why: 'was given up' });
    else if (state !== 'Failed' && state !== 'Retrying')
      plan.skipped.push({ orderId, why: whyNot[state] });
    else {
      const staggeredMs = Math.floor((plan.retries.length * 1_000) / ratePerSecond);
      const dueMs =
        dueInMs === null ? staggeredMs : Math.max(0, Math.min(staggeredMs, Math.floor(dueInMs)));
      const [whatHappened, whatFollows] = [past(candidate), future(candidate)];
      plan.retries.push({
        candidate,
        dueMs,
        entry: { orderId, state, attempts, lastError, whatHappened, whatFollows },
      });
    }
  }
  return plan;
}

const whyNot = {
  Processing: 'is on its way, nothing has failed yet',
  Shipped: 'is shipped',
  Cancelled: 'is cancelled',
};

function past({ attempts, failedAttempts, isAttemptOpen }: RetryCandidate): string {
  const last = failedAttempts.at(-1);
  const begun = attempts === 1 ? '1 attempt' : `${attempts} attempts`;
  const failure =
    last === undefined ? '' : `; last failure ${last.at}, ${last.outcome}: ${last.error}`;
  const open = isAttemptOpen ? '; it is not known whether the last attempt was booked' : '';
  return `${begun}${failure}${open}`;
}

function future({ isAttemptOpen, isCancelRequested }: RetryCandidate): string {
  const absent = isAttemptOpen ? 'Where it has none after the settle time' : 'Where it has none';
  const then = isCancelRequested
    ? 'the order is cancelled, as was asked for, and not sent'
    : 'it is sent again, with a new count of attempts and a new deadline';
  return `The provider is asked for its shipment first, and what it has is adopted. ${absent}, ${then}.`;
}
