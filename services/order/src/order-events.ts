import { type OrderCancellationRequested, orderEventsTopic } from '@orders/contracts/orders/events';
import { eventIdOf } from '@orders/platform/messaging/event-id';
import { createdAtOf } from './order.ts';

/** The content of an order. Its items are JSON text: they are serialised only once. */
export type OrderContent = {
  orderId: string;
  customerId: string;
  customerName: string;
  currency: string | null;
  itemsJson: string;
};

/**
 * The OrderCreated event of an order, sequence 1: the same text from its row, however much later.
 */
export function orderCreatedJson(order: OrderContent & { correlationId: string | null }): string {
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
