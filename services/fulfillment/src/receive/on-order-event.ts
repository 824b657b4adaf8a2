// Station 6 of 9: receive. From the broker (5) come order events; what is new is filed in one
// statement per batch, and only then the offsets are committed; what dispatch (7) has room
// for goes to it already claimed.
import { OrderCancellationRequested, OrderCreated } from '@orders/contracts/orders/events';
import type { IncomingEvent } from '@orders/platform/messaging/broker';
import { createEventReader } from '@orders/platform/messaging/event-reader';
import type { OutboxRelay } from '@orders/platform/messaging/outbox-relay';
import {
  type DeadLetter,
  type EventHandler,
  reportDeadLetter,
  storeOrBury,
} from '@orders/platform/messaging/store-or-bury';
import type { Log } from '@orders/platform/process/log';
import { isUuid } from '@orders/platform/process/uuid';
import { sharedNow } from '@orders/platform/process/wall-clock';
import type { Claimed } from '../fulfillment.ts';
import { leaseMs, type Moment, momentNow } from '../lease.ts';
import type { FulfillmentMetrics } from '../metrics.ts';
import {
  firstPerOrder,
  type ReceivedCancel,
  type ReceivedOrder,
  toCancelFiling,
  toClaimed,
  toFiling,
} from './filing.ts';
import type { FilingStore } from './filing-store.ts';

/** What receiving needs of dispatch: room for new fulfillments, and a place to hand them to. */
type Handover = {
  room(): number;
  take(claimed: Claimed[], leasedAt: Moment): void;
  noteBacklog(): void;
};

/** One event and what is filed of it. */
type ToFile = { event: IncomingEvent; orderId: string } & (
  | { order: ReceivedOrder }
  | { cancel: ReceivedCancel }
);

/** What this service reads of `order-events`. */
export const createOrderEventReader = () =>
  createEventReader<OrderCreated | OrderCancellationRequested, ToFile>({
    schemas: { OrderCreated, OrderCancellationRequested },
    check: ({ orderId }) => (isUuid(orderId) ? undefined : 'orderId is no UUID'),
    map: (body, event) =>
      body.eventType === 'OrderCreated'
        ? fromOrder(toFiling(body, event))
        : fromCancel(toCancelFiling(body, event)),
  });

const fromOrder = (order: ReceivedOrder): ToFile => ({
  event: order.source,
  orderId: order.orderId,
  order,
});
const fromCancel = (cancel: ReceivedCancel): ToFile => ({
  event: cancel.source,
  orderId: cancel.orderId,
  cancel,
});

/**
 * Handles batches of order events; rejects when the store fails, and the same events come again.
 * Files nothing twice.
 */
export function createOrderEventHandler(parts: {
  store: FilingStore;
  handover: Handover;
  relay: OutboxRelay;
  metrics: FulfillmentMetrics;
  log: Log;
}): EventHandler {
  const { store, handover, relay, metrics } = parts;
  const log = parts.log.child({ station: 'receive' });
  const read = createOrderEventReader();
  const onBuried = reportDeadLetter(log, metrics.deadLetters);

  return async (events, isReplay) => {
    const began = performance.now();
    const leasedAt = momentNow();
    const source = events[0]?.topic ?? '';
    const { readable: received, letters } = read(events);
    const isHot = relay.isHot;
    const orders = firstPerOrder(ordersOf(received));
    for (const order of orders.slice(0, handover.room())) order.isHandedOver = true;
    const cancels = firstPerOrder(cancelsOf(received));
    const batch = [...orders.map(fromOrder), ...cancels.map(fromCancel)];
    const handedOver = new Set<string>();
    const requested = new Set<string>();
    const due = new Set<string>();
    const file = async (some: ToFile[], buried: DeadLetter[]): Promise<Set<string>> => {
      const toWrite = { filings: ordersOf(some), cancellations: cancelsOf(some), letters: buried };
      const done = await store.file(source, toWrite, {
        leaseMs,
        eventClaimMs: isHot ? relay.claimMs : null,
      });
      for (const orderId of done.handedOver) handedOver.add(orderId);
      for (const orderId of done.requested) requested.add(orderId);
      for (const orderId of done.due) due.add(orderId);
      return done.filed;
    };
    const filed = await storeOrBury(batch, letters, file, onBuried, isReplay);

    const fresh = orders.filter(({ orderId }) => filed.has(orderId));
    handover.take(fresh.filter(({ orderId }) => handedOver.has(orderId)).map(toClaimed), leasedAt);
    if (handedOver.size < fresh.length || due.size > 0) handover.noteBacklog();
    if (isHot && fresh.length > 0) relay.offer(fresh.map(({ event }) => event));
    const durationMs = Math.round(performance.now() - began);
    reportFiled(fresh, durationMs);
    if (requested.size > 0)
      log.info(
        { orders: [...requested].map((orderId) => ({ orderId })), durationMs },
        'cancellations filed',
      );
  };

  function reportFiled(fresh: ReceivedOrder[], durationMs: number): void {
    for (const { createdAt } of fresh) {
      // A leap second is a time that JavaScript does not know.
      const pickupMs = sharedNow() - Date.parse(createdAt);
      if (pickupMs >= 0) metrics.pickup.observe(pickupMs / 1_000);
    }
    if (fresh.length === 0) return;
    const orders = fresh.map(({ orderId, correlationId }) => ({ orderId, correlationId }));
    log.info({ orders, durationMs }, 'fulfillments filed');
  }
}

const ordersOf = (some: ToFile[]): ReceivedOrder[] =>
  some.flatMap((one) => ('order' in one ? [one.order] : []));
const cancelsOf = (some: ToFile[]): ReceivedCancel[] =>
  some.flatMap((one) => ('cancel' in one ? [one.cancel] : []));
