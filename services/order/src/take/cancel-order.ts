import type { OrderView } from '@orders/contracts/orders/api';
import { orUnavailable } from '@orders/platform/http/or-unavailable';
import type { OutboxRelay } from '@orders/platform/messaging/outbox-relay';
import { CodedError } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import { cancellationRequested } from '../order-events.ts';
import type { OrderQueries } from '../show/order-queries.ts';
import type { CancellationStore } from './cancellation-store.ts';
import { mayBeCancelled } from './may-be-cancelled.ts';

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
  const log = parts.log.child({ part: 'cancel' });

  type Asked = Parameters<CancelOrder['cancel']>[1];

  async function request(orderId: string, asked: Asked): Promise<boolean> {
    const { reason, correlationId } = asked;
    const requestedAt = new Date();
    const event = cancellationRequested({ orderId, requestedAt, ...asked });
    const { isHot, claimMs } = relay;
    const isNew = await store.request({
      orderId,
      requestedAt,
      reason,
      event,
      instance,
      claimMs: isHot ? claimMs : null,
    });
    if (!isNew) return false;
    if (isHot) relay.offer([event]);
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
