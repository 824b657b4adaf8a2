// Station 6 of 9: receive. From the broker (5) come order events; what is new is filed in one statement per batch, and only then the offsets are committed; what the dispatcher (7) has room for goes to it already claimed.
import { fulfillmentEventsTopic } from '@orders/contracts/fulfillment-events';
import { OrderCreated } from '@orders/contracts/order-events';
import type { NewShipment } from '@orders/contracts/shipping-api';
import type { BatchHandler, IncomingEvent } from '@orders/platform/broker';
import { type DeadLetter, storeOrBury, tellOfDeadLetter } from '@orders/platform/dead-letters';
import { createEventReader } from '@orders/platform/event-reader';
import type { Log } from '@orders/platform/log';
import type { OutboxRelay } from '@orders/platform/outbox-relay';
import { correlationIdOf, traceparentOf } from '@orders/platform/trace-context';
import { isUuid } from '@orders/platform/uuid';
import { type Dispatcher, leaseMs } from './dispatch-shipments.ts';
import { type Held, startedEvent } from './fulfillment.ts';
import type { FulfillmentMetrics } from './fulfillment-metrics.ts';
import type { Filing, FulfillmentStore } from './fulfillment-store.ts';

/** Handles batches of order events; rejects when the store fails, and the same events come again. Files nothing twice. */
export function createOrderEventHandler(parts: {
  store: FulfillmentStore;
  dispatcher: Dispatcher;
  relay: OutboxRelay;
  metrics: FulfillmentMetrics;
  log: Log;
  topic?: string;
}): BatchHandler {
  const { store, dispatcher, relay, metrics, topic = fulfillmentEventsTopic } = parts;
  const log = parts.log.child({ station: 'receive' });
  const read = createEventReader<OrderCreated>({
    schema: OrderCreated,
    eventTypes: ['OrderCreated'],
    check: ({ orderId }) => (isUuid(orderId) ? undefined : 'orderId is no UUID'),
  });
  const tellBuried = tellOfDeadLetter(log, metrics.deadLetters);

  return async (events) => {
    const began = performance.now();
    const source = events[0]?.topic ?? '';
    const { readable, letters } = read(events);
    const batch = firstPerOrder(readable.map(({ body, event }) => ({ ...toFiling(body, event), event: event })));
    const isHot = relay.isHot;
    const room = dispatcher.room();
    batch.forEach((filing, i) => {
      filing.isHandedOver = i < room;
    });
    const file = (some: ToFile[], buried: DeadLetter[]): Promise<Set<string>> =>
      store.file(source, some.map(toRow), buried, { leaseMs, eventClaimMs: isHot ? relay.claimMs : null });
    const filed = await storeOrBury(batch, letters, file, tellBuried);

    const fresh = batch.filter(({ orderId }) => filed.has(orderId));
    dispatcher.take(fresh.filter(({ isHandedOver }) => isHandedOver).map(toHeld), began);
    if (fresh.some(({ isHandedOver }) => !isHandedOver)) dispatcher.noteBacklog();
    if (isHot && fresh.length > 0) relay.offer(fresh.map(({ started }) => started));
    tell(fresh, began);
  };

  function toRow({ started, event: _, ...filing }: ToFile): Filing {
    return { ...filing, event: started };
  }

  function toFiling(body: OrderCreated, event: IncomingEvent) {
    const orderId = body.orderId.toLowerCase();
    const shipment: NewShipment = {
      reference: orderId,
      // No further property travels: it is not the provider's business, and nesting without end cannot be serialised.
      recipient: { customerId: body.customer.customerId, name: body.customer.name },
      items: body.items.map(({ productId, quantity }) => ({ productId, quantity })),
    };
    const given = { 'x-correlation-id': body.metadata?.correlationId, traceparent: event.headers.traceparent };
    const correlationId = correlationIdOf(given, '') || null;
    const traceparent = traceparentOf(given);
    const started = startedEvent(orderId, correlationId, new Date());
    return {
      orderId,
      partition: event.partition,
      offset: event.offset.toString(),
      payload: JSON.stringify(shipment),
      correlationId,
      traceparent,
      createdAt: body.createdAt,
      isHandedOver: false,
      startedAt: started.occurredAt,
      started: {
        topic,
        key: orderId,
        sequence: 1,
        eventId: started.eventId ?? '',
        eventType: started.eventType,
        payload: JSON.stringify(started),
        correlationId,
        traceparent,
      },
    };
  }

  function tell(fresh: ToFile[], began: number): void {
    for (const { createdAt } of fresh) {
      // A leap second is a time that JavaScript does not know.
      const pickupMs = Date.now() - Date.parse(createdAt);
      if (pickupMs >= 0) metrics.pickup.observe(pickupMs / 1_000);
    }
    if (fresh.length === 0) return;
    const orders = fresh.map(({ orderId, correlationId }) => ({ orderId, correlationId }));
    log.info({ orders, durationMs: Math.round(performance.now() - began) }, 'fulfillments filed');
  }
}

type ToFile = Omit<Filing, 'event'> & { started: Filing['event']; startedAt: string; event: IncomingEvent };

/** One filing an order, sorted by order id, so that two batches never wait for each other's rows crosswise. */
function firstPerOrder(filings: ToFile[]): ToFile[] {
  const first = new Map<string, ToFile>();
  for (const filing of filings) if (!first.has(filing.orderId)) first.set(filing.orderId, filing);
  return [...first.values()].sort((a, b) => (a.orderId < b.orderId ? -1 : 1));
}

function toHeld({ orderId, payload, correlationId, traceparent, startedAt }: ToFile): Held {
  return {
    orderId,
    claim: 1,
    state: 'Processing',
    sequence: 1,
    attempts: 1,
    abandoned: 0,
    retries: 0,
    mustLookUp: false,
    isSettled: false,
    ageMs: 0,
    startedAt,
    failedAttempts: [],
    payload,
    correlationId,
    traceparent,
  };
}
