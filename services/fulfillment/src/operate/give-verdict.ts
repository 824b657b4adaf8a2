import type { Verdict } from '@orders/contracts/fulfillments/api';
import { bodyError } from '@orders/platform/http/request-validation';
import { CodedError } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import { toEvent, toOutboxRow } from '../fulfillment-event.ts';
import type { RetryCandidate } from './retry-plan.ts';
import type { RetryStore } from './retry-store.ts';
import type { VerdictStore, VerdictWriting } from './verdict-store.ts';

/** Ends a fulfillment that waits for an operator, or one that has failed. */
export type GiveVerdict = (orderId: string, verdict: Verdict, operator: string) => Promise<void>;

const eventTypes = {
  booked: 'OrderFulfilled',
  not_booked: 'FulfillmentRetrying',
  given_up: 'OrderFailed',
} as const;

/**
 * Rejects with 404 for an unknown order, and with 409 where it is final, in hand, or changed
 * meanwhile. Repeating a verdict that was written is 409.
 */
export function createGiveVerdict(parts: {
  fulfillments: RetryStore;
  verdicts: VerdictStore;
  log: Log;
}): GiveVerdict {
  const { fulfillments, verdicts } = parts;
  const log = parts.log.child({ part: 'operator' });
  return async (orderId, verdict, operator) => {
    const isBooked = verdict.verdict === 'booked';
    if (isBooked && verdict.trackingNumber === undefined)
      throw bodyError('/trackingNumber', 'is required where the verdict is booked');
    for (const name of ['trackingNumber', 'carrier'] as const)
      if (!isBooked && verdict[name] !== undefined)
        throw bodyError(`/${name}`, 'must not be given unless the verdict is booked');
    const [candidate] = await fulfillments.ofOrders([orderId.toLowerCase()]);
    if (candidate === undefined)
      throw new CodedError('fulfillment_not_found', `There is no fulfillment of order ${orderId}.`);
    const why = whyNot(candidate);
    if (why !== undefined)
      throw new CodedError('verdict_impossible', `The fulfillment of order ${orderId} ${why}.`);
    const record = { operator, reason: verdict.reason, request: { orderId, ...verdict } };
    if (!(await verdicts.write(toWriting(candidate, verdict, operator), record)))
      throw new CodedError('verdict_impossible', 'The fulfillment has changed meanwhile.');
    log.info({ orderId, operator, verdict: verdict.verdict }, 'operator gives a verdict');
  };
}

function whyNot({ state, isInHand, isGivenUp }: RetryCandidate): string | undefined {
  if (isGivenUp) return 'was given up before';
  if (isInHand) return 'is being worked on now: ask again in a moment';
  return state === 'Failed' || state === 'Retrying' ? undefined : `is ${state}`;
}

function toWriting(candidate: RetryCandidate, given: Verdict, operator: string): VerdictWriting {
  const now = new Date();
  const { verdict, trackingNumber = '', carrier = null } = given;
  const shipment =
    verdict === 'booked' ? { trackingNumber, carrier, shippedAt: now.toISOString() } : null;
  const error = verdict === 'given_up' ? `given up by ${operator}: ${given.reason}` : null;
  const state = ({ booked: 'Shipped', not_booked: 'Retrying', given_up: 'Failed' } as const)[
    verdict
  ];
  const { attempts, failedAttempts, sequence } = candidate;
  const dueMs = verdict === 'not_booked' ? 0 : null;
  const facts = { state, sequence: sequence + 1, attempts, dueMs, shipment, error, failedAttempts };
  const event = toOutboxRow(toEvent(candidate, facts, eventTypes[verdict], now), candidate);
  return { candidate, state, isGivenUp: verdict === 'given_up', shipment, error, event };
}
