import { randomUUIDv7 } from 'node:crypto';
import type { NewOrder } from '@orders/contracts/orders/api';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import { eventIdOf } from '@orders/platform/messaging/event-id';
import { totalOf } from '../order.ts';
import { type OrderContent, orderCreatedJson } from '../order-events.ts';

/**
 * An order that is validated and about to be stored, with its event. Heavy parts are serialised
 * once.
 */
export type Placement = OrderContent & {
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
