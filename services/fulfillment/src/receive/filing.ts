import type { OrderCancellationRequested, OrderCreated } from '@orders/contracts/orders/events';
import type { NewShipment } from '@orders/contracts/shipping';
import { correlationIdOf, traceparentOf } from '@orders/platform/http/trace-context';
import type { IncomingEvent } from '@orders/platform/messaging/broker';
import type { Claimed } from '../fulfillment.ts';
import { startedEvent, toOutboxRow } from '../fulfillment-event.ts';
import type { CancelFiling, Filing } from './filing-store.ts';

/** An order as it came, with its FulfillmentStarted event. */
export type ReceivedOrder = Filing & { source: IncomingEvent; startedAt: string };
export type ReceivedCancel = CancelFiling & { source: IncomingEvent };

/** What is filed of an OrderCreated. */
export function toFiling(body: OrderCreated, source: IncomingEvent): ReceivedOrder {
  const orderId = body.orderId.toLowerCase();
  const shipment: NewShipment = {
    reference: orderId,
    // No further property travels: it is not the provider's business, and nesting without end
    // cannot be serialised.
    recipient: { customerId: body.customer.customerId, name: body.customer.name },
    items: body.items.map(({ productId, quantity }) => ({ productId, quantity })),
  };
  const given = {
    'x-correlation-id': body.metadata?.correlationId,
    traceparent: source.headers.traceparent,
  };
  const correlationId = correlationIdOf(given, '') || null;
  const traceparent = traceparentOf(given);
  const started = startedEvent(orderId, correlationId, new Date(), source.publishedAt);
  return {
    source,
    orderId,
    partition: source.partition,
    offset: source.offset.toString(),
    payload: JSON.stringify(shipment),
    correlationId,
    traceparent,
    createdAt: body.createdAt,
    isHandedOver: false,
    publishedAt: source.publishedAt.toISOString(),
    startedAt: started.occurredAt,
    event: toOutboxRow(started, { correlationId, traceparent }),
  };
}

/** What is filed of an OrderCancellationRequested. */
export function toCancelFiling(
  body: OrderCancellationRequested,
  source: IncomingEvent,
): ReceivedCancel {
  const { orderId, reason = null } = body;
  const { partition, offset } = source;
  return { source, orderId: orderId.toLowerCase(), partition, offset: offset.toString(), reason };
}

/**
 * The first of each order, sorted by order id, so that two batches never wait for each other's rows
 * crosswise.
 */
export function firstPerOrder<T extends { orderId: string }>(received: T[]): T[] {
  const first = new Map<string, T>();
  for (const one of received) if (!first.has(one.orderId)) first.set(one.orderId, one);
  return [...first.values()].sort((a, b) => (a.orderId < b.orderId ? -1 : 1));
}

/** A new fulfillment whose filing handed it over. */
export function toClaimed({
  orderId,
  payload,
  correlationId,
  traceparent,
  publishedAt,
  startedAt,
}: ReceivedOrder): Claimed {
  return {
    orderId,
    claim: 1,
    state: 'Processing',
    sequence: 1,
    attempts: 1,
    abandoned: 0,
    attemptsBefore: 0,
    retries: 0,
    mustLookUp: false,
    wasUnknown: false,
    refusal: null,
    isHeld: false,
    isSettled: false,
    mayResend: false,
    isCancelRequested: false,
    ageMs: 0,
    publishedAt,
    startedAt,
    failedAttempts: [],
    payload,
    correlationId,
    traceparent,
  };
}
