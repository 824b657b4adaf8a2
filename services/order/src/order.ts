import { randomUUIDv7 } from 'node:crypto';
import type { FulfillmentEvent } from '@orders/contracts/fulfillments/events';
import type { Cancellation, NewOrder, OrderStatus } from '@orders/contracts/orders/api';
import { type OrderCancellationRequested, orderEventsTopic } from '@orders/contracts/orders/events';
import { eventIdOf } from '@orders/platform/messaging/event-id';

/**
 * An order that is validated and about to be stored, with its event. Heavy parts are serialised
 * once.
 */
export type Placement = {
  orderId: string;
  customerId: string;
  customerName: string;
  currency: string | null;
  itemsJson: string;
  itemCount: number;
  total: string | null;
  eventId: string;
  payload: string;
  correlationId: string;
  traceparent: string | null;
};

/**
 * A new order with its id (UUIDv7: the time in it is `createdAt`) and its OrderCreated event,
 * sequence 1.
 */
export function toPlacement(
  order: NewOrder,
  trace: { correlationId: string; traceparent: string | null },
): Placement {
  const orderId = randomUUIDv7();
  const itemsJson = JSON.stringify(order.items);
  const { customerId, customerName, currency = null } = order;
  const { correlationId, traceparent } = trace;
  return {
    orderId,
    customerId,
    customerName,
    currency,
    itemsJson,
    itemCount: order.items.length,
    total: totalOf(order.items),
    eventId: eventIdOf(orderEventsTopic, orderId, 1),
    payload: orderCreatedJson({
      orderId,
      customerId,
      customerName,
      currency,
      itemsJson,
      correlationId,
    }),
    correlationId,
    traceparent,
  };
}

/**
 * The OrderCreated event of an order, sequence 1: the same text from its row, however much later.
 */
export function orderCreatedJson(
  order: Pick<Placement, 'orderId' | 'customerId' | 'customerName' | 'currency' | 'itemsJson'> & {
    correlationId: string | null;
  },
): string {
  const { orderId, currency } = order;
  const head = {
    eventType: 'OrderCreated',
    schemaVersion: 1,
    eventId: eventIdOf(orderEventsTopic, orderId, 1),
    orderId,
    sequence: 1,
    customer: { customerId: order.customerId, name: order.customerName },
    ...(currency !== null && { currency }),
  };
  const tail = {
    createdAt: createdAtOf(orderId).toISOString(),
    metadata: metadataOf(order.correlationId),
  };
  return `${JSON.stringify(head).slice(0, -1)},"items":${order.itemsJson},${JSON.stringify(tail).slice(1)}`;
}

/** The OrderCancellationRequested event of an order, sequence 2. */
export function cancellationRequestedJson(request: {
  orderId: string;
  correlationId: string | null;
  reason: string | null;
  requestedAt: Date;
}): string {
  const { orderId, correlationId, reason, requestedAt } = request;
  const event: OrderCancellationRequested = {
    eventType: 'OrderCancellationRequested',
    schemaVersion: 1,
    eventId: eventIdOf(orderEventsTopic, orderId, 2),
    orderId,
    sequence: 2,
    reason,
    requestedAt: requestedAt.toISOString(),
    metadata: metadataOf(correlationId),
  };
  return JSON.stringify(event);
}

const metadataOf = (correlationId: string | null) => ({
  source: 'OrderService',
  ...(correlationId !== null && { correlationId }),
});

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

/**
 * How far on its way an order with this status is; it never goes back, except that an operator
 * retries what Failed.
 */
const progress: Record<OrderStatus, number> = {
  Created: 0,
  Pending: 1,
  Processing: 2,
  Retrying: 3,
  Shipped: 4,
  Failed: 4,
  Cancelled: 4,
};

/** Nothing changes a final order but an operator who retries what Failed. */
export const isFinal = (status: OrderStatus): boolean => progress[status] === progress.Shipped;

/** Whether an order with this status has the wanted one, or can no longer reach it. */
export const hasReached = (status: OrderStatus, wanted: OrderStatus): boolean =>
  progress[status] >= progress[wanted];

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
