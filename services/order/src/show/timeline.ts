import type { Timeline, TimelineEntry } from '@orders/contracts/orders/history';
import type { KnownFulfillment } from '../order.ts';

/** What an order's row knows of what has happened to it. */
export type OrderHistory = {
  orderId: string;
  createdAt: Date;
  cancelRequestedAt: Date | null;
  cancelReason: string | null;
  fulfillment: KnownFulfillment | null;
  /** Nothing of its OrderCreated waits in the outbox. */
  published: boolean;
};

/** What has happened to an order, sorted by time; what has no known time has no entry. Pure. */
export function toTimeline(history: OrderHistory): Timeline {
  const { orderId, published, createdAt, cancelRequestedAt, cancelReason, fulfillment } = history;
  const entries: TimelineEntry[] = [{ at: createdAt.toISOString(), kind: 'accepted' }];
  if (cancelRequestedAt !== null) {
    entries.push({
      at: cancelRequestedAt.toISOString(),
      kind: 'cancel_requested',
      reason: cancelReason,
    });
  }
  if (fulfillment !== null) entries.push(...entriesOf(fulfillment));
  return {
    orderId,
    published,
    entries: entries.sort((a, b) => Date.parse(a.at) - Date.parse(b.at)),
  };
}

function entriesOf(fulfillment: KnownFulfillment): TimelineEntry[] {
  const { publishedAt, startedAt, failedAttempts, ...end } = fulfillment;
  const published: TimelineEntry[] =
    publishedAt === undefined ? [] : [{ at: publishedAt, kind: 'published' }];
  const started: TimelineEntry[] =
    startedAt === undefined ? [] : [{ at: startedAt, kind: 'picked_up' }];
  const failed = failedAttempts.map((attempt): TimelineEntry => ({ ...attempt, kind: 'attempt' }));
  return [...published, ...started, ...failed, ...lastEntryOf(end)];
}

function lastEntryOf(
  fulfillment: Omit<KnownFulfillment, 'publishedAt' | 'startedAt' | 'failedAttempts'>,
): TimelineEntry[] {
  const { status, occurredAt, shippedAt, trackingNumber, carrier, errorMessage, nextAttemptAt } =
    fulfillment;
  switch (status) {
    case 'Shipped':
      return [{ at: shippedAt ?? occurredAt, kind: 'shipped', trackingNumber, carrier }];
    case 'Failed':
      return [{ at: occurredAt, kind: 'failed', error: errorMessage }];
    case 'Cancelled':
      return [{ at: occurredAt, kind: 'cancelled' }];
    default:
      return nextAttemptAt === null ? [] : [{ at: nextAttemptAt, kind: 'retry_planned' }];
  }
}
