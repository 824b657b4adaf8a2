import type { NewOrder } from '@orders/contracts/orders/api';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import { newOrderId, totalOf } from '../order.ts';
import { type OrderContent, orderCreated } from '../order-events.ts';

/**
 * An order that is validated and about to be stored, with its event OrderCreated. Heavy parts are
 * serialised once.
 */
export type Placement = OrderContent & {
  itemCount: number;
  total: string | null;
  event: OutboxRow;
  correlationId: string;
};

/** A new order with its id, a UUIDv7: the time in it is `createdAt`. */
export function toPlacement(
  order: NewOrder,
  trace: { correlationId: string; traceparent: string | null },
): Placement {
  const { customerId, customerName, currency = null, items } = order;
  const content = {
    orderId: newOrderId(),
    customerId,
    customerName,
    currency,
    itemsJson: JSON.stringify(items),
  };
  return {
    ...content,
    itemCount: items.length,
    total: totalOf(items),
    event: orderCreated({ ...content, ...trace }),
    correlationId: trace.correlationId,
  };
}
