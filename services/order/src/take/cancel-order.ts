import type { OrderView } from '@orders/contracts/orders/api';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import { orUnavailable } from '@orders/platform/http/or-unavailable';
import { eventIdOf } from '@orders/platform/messaging/event-id';
import type { OutboxRelay } from '@orders/platform/messaging/outbox-relay';
import { CodedError } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import type { OrderQueries } from '../show/order-queries.ts';
import type { CancellationStore } from './cancellation-store.ts';
import { mayBeCancelled } from './may-be-cancelled.ts';

/** The sequence of OrderCancellationRequested; OrderCreated has 1, and there is no third event. */
const sequence = 2;
/** An operator may retry a failed order between the request and the read: then it is repeated. */
const roundsMax = 3;

export type CancelOrder = {
  /**
   * Asks the Fulfillment Service, which decides, not to ship the order; resolves to the order as it
   * then is. Asking again changes nothing. Rejects with CodedError: order_not_found, order_final,
   * store_unavailable. After the latter it may have been asked for: a retry is safe.
   */
  cancel(
    orderId: string,
    options: { reason: string | null; correlationId: string; traceparent: string | null },
  ): Promise<OrderView>;
};

export function createCancelOrder(parts: {
  store: CancellationStore;
  queries: OrderQueries;
  relay: OutboxRelay;
  instance: string;
  /** Called after an order was changed. */
  onChanged?: () => void;
  log: Log;
}): CancelOrder {
  const { store, queries, relay, instance, onChanged } = parts;
  const topic = orderEventsTopic;
  const log = parts.log.child({ part: 'cancel' });

  type Asked = Parameters<CancelOrder['cancel']>[1];

  async function request(orderId: string, asked: Asked): Promise<boolean> {
    const { reason, correlationId, traceparent } = asked;
    const eventType = 'OrderCancellationRequested';
    const event = {
      topic,
      key: orderId,
      sequence,
      eventId: eventIdOf(topic, orderId, sequence),
      eventType,
    };
    const { isHot, claimMs } = relay;
    const payload = await store.request({
      ...event,
      orderId,
      reason,
      correlationId,
      traceparent,
      payloadHead: payloadHead(event, asked),
      instance,
      claimMs: isHot ? claimMs : null,
    });
    if (payload === undefined) return false;
    if (isHot) relay.offer([{ ...event, payload, correlationId, traceparent }]);
    log.info({ orderId, correlationId }, 'cancellation requested');
    onChanged?.();
    return true;
  }

  return {
    async cancel(givenId, asked) {
      const orderId = givenId.toLowerCase();
      for (let round = 0; round < roundsMax; round += 1) {
        const isOurs = await orUnavailable(() => request(orderId, asked));
        const order = await orUnavailable(() => queries.one(orderId));
        if (isOurs) return order;
        if (!mayBeCancelled(order.status))
          throw new CodedError('order_final', `The order is ${order.status}.`);
        if (order.cancellation !== null) return order;
      }
      throw new CodedError('overloaded', 'The order keeps changing; try again.');
    },
  };
}

function payloadHead(
  { key, eventId, eventType }: { key: string; eventId: string; eventType: string },
  { reason, correlationId }: { reason: string | null; correlationId: string },
): string {
  const metadata = { source: 'OrderService', correlationId };
  const event = { eventType, schemaVersion: 1, eventId, orderId: key, sequence, reason, metadata };
  return JSON.stringify(event).slice(0, -1);
}
