import { randomUUIDv7 } from 'node:crypto';
import type { FulfillmentEvent } from '@orders/contracts/fulfillments/events';
import type { Cancellation, NewOrder, OrderStatus } from '@orders/contracts/orders/api';
import { clockDifference, sharedNow } from '@orders/platform/process/wall-clock';
import { isFinal } from './order-status.ts';

/** Of the text of a UUIDv7: its time, to the millisecond. */
const timeLength = 13;

/**
 * The exact sum of quantity × unitPrice as a decimal with at least two decimals and no further
 * trailing zeros ("39.80", "0.003"); null where an item has no price. Counts in ten-thousandths: a
 * price has at most four decimals, so it is a whole number of them below 2^53, and rounding only
 * takes off what binary floats add.
 */
export function totalOf(items: NewOrder['items']): string | null {
  let sum = 0n;
  for (const { quantity, unitPrice } of items) {
    if (unitPrice === undefined) return null;
    sum += BigInt(Math.round(unitPrice * 10_000)) * BigInt(quantity);
  }
  const digits = sum.toString().padStart(5, '0');
  const decimals = digits.slice(-4).replace(/0{1,2}$/, '');
  return `${digits.slice(0, -4)}.${decimals}`;
}

/**
 * A UUIDv7 by the time that all processes share: the list is in its order, and a clock that is
 * behind would place its orders where nobody looks any more.
 */
export function newOrderId(): string {
  const id = randomUUIDv7();
  if (clockDifference() === undefined) return id;
  return firstIdAt(new Date(sharedNow())).slice(0, timeLength) + id.slice(timeLength);
}

/** The time in a UUIDv7 (RFC 9562), to the millisecond. */
export function createdAtOf(orderId: string): Date {
  return new Date(Number.parseInt(orderId.slice(0, 8) + orderId.slice(9, 13), 16));
}

/**
 * The smallest id of a millisecond; with `createdTo + 1` the bound above. Times before 1970 count
 * as 1970.
 */
export function firstIdAt(at: Date): string {
  const hex = Math.min(Math.max(0, at.getTime()), 2 ** 48 - 1)
    .toString(16)
    .padStart(12, '0');
  return `${hex.slice(0, 8)}-${hex.slice(8)}-0000-0000-000000000000`;
}

/**
 * What a fulfillment event makes of its order. The projection takes it when its sequence is newer
 * than the last one's.
 */
export type Projected = {
  orderId: string;
  sequence: number;
  status: OrderStatus;
  /** Complete; replaces what was there. */
  fulfillment: KnownFulfillment;
};

/**
 * What an order keeps of its newest fulfillment event. `occurredAt` is the event's;
 * FulfillmentStarted tells by it when it was filed.
 */
export type KnownFulfillment = FulfillmentEvent['fulfillment'] & { occurredAt: string };

export function toProjected({
  orderId,
  sequence,
  eventType,
  occurredAt,
  fulfillment,
}: FulfillmentEvent): Projected {
  const startedAt =
    fulfillment.startedAt ?? (eventType === 'FulfillmentStarted' ? occurredAt : undefined);
  return {
    orderId: orderId.toLowerCase(),
    sequence,
    status: fulfillment.status,
    fulfillment: {
      ...knownParts(fulfillment),
      ...(startedAt !== undefined && { startedAt }),
      occurredAt,
    },
  };
}

/** What came of a request to cancel: the order's status tells it. */
export function cancellationOf(status: OrderStatus, requestedAt: Date | null): Cancellation | null {
  if (requestedAt === null) return null;
  const outcome = status === 'Cancelled' ? 'cancelled' : isFinal(status) ? 'too_late' : null;
  return { requestedAt: requestedAt.toISOString(), outcome };
}

/**
 * Without what a reader does not know: nesting without end, say, could be parsed but not
 * serialised.
 */
function knownParts(
  given: FulfillmentEvent['fulfillment'],
): Omit<FulfillmentEvent['fulfillment'], 'startedAt'> {
  const {
    status,
    trackingNumber,
    carrier,
    shippedAt,
    errorMessage,
    attempts,
    nextAttemptAt,
    publishedAt,
  } = given;
  const failedAttempts = given.failedAttempts.map(({ at, outcome, error, durationMs }) => ({
    at,
    outcome,
    error,
    durationMs,
  }));
  const known = {
    status,
    trackingNumber,
    carrier,
    shippedAt,
    errorMessage,
    attempts,
    nextAttemptAt,
    failedAttempts,
  };
  return { ...known, ...(publishedAt !== undefined && { publishedAt }) };
}

/**
 * The newest of several events of each order, sorted by order id, so that two batches never lock
 * rows crosswise.
 */
export function newestPerOrder<E extends { orderId: string; sequence: number }>(events: E[]): E[] {
  const newest = new Map<string, E>();
  for (const event of events) {
    const known = newest.get(event.orderId);
    if (known === undefined || known.sequence < event.sequence) newest.set(event.orderId, event);
  }
  return [...newest.values()].sort((a, b) => (a.orderId < b.orderId ? -1 : 1));
}
