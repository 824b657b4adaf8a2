import { type OrderCancellationRequested, orderEventsTopic } from '@orders/contracts/orders/events';
import { eventIdOf } from '@orders/platform/messaging/event-id';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import { createdAtOf } from './order.ts';

/** The content of an order. Its items are JSON text: they are serialised only once. */
export type OrderContent = {
  orderId: string;
  customerId: string;
  customerName: string;
  currency: string | null;
  itemsJson: string;
};

type Trace = { correlationId: string | null; traceparent: string | null };

/**
 * OrderCreated, the first event of an order: the same from the request and from the order's row,
 * however much later.
 */
export function orderCreated(order: OrderContent & Trace): OutboxRow {
  const { orderId, currency } = order;
  const event = eventOf(order, { sequence: 1, eventType: 'OrderCreated' });
  const head = {
    ...event.head,
    customer: { customerId: order.customerId, name: order.customerName },
    ...(currency !== null && { currency }),
  };
  const tail = { createdAt: createdAtOf(orderId).toISOString(), metadata: event.metadata };
  const payload = `${JSON.stringify(head).slice(0, -1)},"items":${order.itemsJson},${JSON.stringify(tail).slice(1)}`;
  return { ...event.row, payload };
}

/** OrderCancellationRequested, the second event of an order; there is no third. */
export function cancellationRequested(
  request: { orderId: string; reason: string | null; requestedAt: Date } & Trace,
): OutboxRow {
  const { reason, requestedAt } = request;
  const { row, head, metadata } = eventOf(request, {
    sequence: 2,
    eventType: 'OrderCancellationRequested',
  });
  const body = { ...head, reason, requestedAt: requestedAt.toISOString(), metadata };
  return { ...row, payload: JSON.stringify(body satisfies OrderCancellationRequested) };
}

function eventOf<Type extends string>(
  { orderId, correlationId, traceparent }: { orderId: string } & Trace,
  { sequence, eventType }: { sequence: number; eventType: Type },
) {
  const eventId = eventIdOf(orderEventsTopic, orderId, sequence);
  const topic = orderEventsTopic;
  return {
    row: { topic, key: orderId, sequence, eventId, eventType, correlationId, traceparent },
    head: { eventType, schemaVersion: 1, eventId, orderId, sequence },
    metadata: { source: 'OrderService', ...(correlationId !== null && { correlationId }) },
  };
}
