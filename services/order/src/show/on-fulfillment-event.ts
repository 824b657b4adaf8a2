// Station 9 of 9: project. From the broker (5) come fulfillment events; the newest of each order
// replaces what the order shows. GET /api/orders/{orderId} then shows it.
import { FulfillmentEvent, fulfillmentEventTypes } from '@orders/contracts/fulfillments/events';
import { createEventReader } from '@orders/platform/messaging/event-reader';
import {
  type DeadLetter,
  type EventHandler,
  reportDeadLetter,
  storeOrBury,
} from '@orders/platform/messaging/store-or-bury';
import type { Log } from '@orders/platform/process/log';
import { isUuid } from '@orders/platform/process/uuid';
import { sharedNow } from '@orders/platform/process/wall-clock';
import type { OrderMetrics } from '../metrics.ts';
import { createdAtOf, newestPerOrder, toProjected } from '../order.ts';
import type { ProjectionStore } from './projection-store.ts';

/** What this service reads of `fulfillment-events`. */
export const createFulfillmentEventReader = () =>
  createEventReader({
    schemas: Object.fromEntries(fulfillmentEventTypes.map((type) => [type, FulfillmentEvent])),
    check: ({ orderId }: FulfillmentEvent) => (isUuid(orderId) ? undefined : 'orderId is no UUID'),
    map: (body, event) => ({ ...toProjected(body), body, event }),
  });

/**
 * Handles batches of fulfillment events; rejects when the store fails, and the same events come
 * again.
 */
export function createFulfillmentEventHandler(parts: {
  store: ProjectionStore;
  metrics: OrderMetrics;
  /** Called after orders were changed. */
  onChanged?: () => void;
  log: Log;
}): EventHandler {
  const { store, metrics } = parts;
  const log = parts.log.child({ station: 'project' });
  const onBuried = reportDeadLetter(log, metrics.deadLetters);
  const read = createFulfillmentEventReader();
  return async (events, isReplay) => {
    const began = performance.now();
    const { readable, letters } = read(events);
    // I12: the newest sequence of each order wins, in the batch and in the statement.
    const newest = newestPerOrder(readable);
    const project = (some: typeof newest, buried: DeadLetter[]): Promise<Set<string>> =>
      store.project(events[0]?.topic ?? '', some, buried);
    const changed = await storeOrBury(newest, letters, project, onBuried, isReplay);
    const updated = newest.filter(({ orderId }) => changed.has(orderId));
    for (const { orderId, status } of updated) {
      if (status === 'Shipped')
        metrics.createdToShipped.observe((sharedNow() - createdAtOf(orderId).getTime()) / 1_000);
    }
    if (updated.length === 0) return;
    parts.onChanged?.();
    const orders = updated.map(({ orderId, status, body }) => ({
      orderId,
      status,
      correlationId: body.metadata?.correlationId,
    }));
    log.info({ orders, durationMs: Math.round(performance.now() - began) }, 'status updated');
  };
}
