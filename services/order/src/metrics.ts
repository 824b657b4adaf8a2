import { observeOutbox } from '@orders/platform/messaging/outbox-metrics';
import type { OutboxStore } from '@orders/platform/messaging/outbox-store';
import type { Metrics } from '@orders/platform/process/metrics';

export type OrderMetrics = ReturnType<typeof createOrderMetrics>;

export function createOrderMetrics(metrics: Metrics, outbox: OutboxStore) {
  observeOutbox(metrics, outbox);
  return {
    created: metrics.counter('orders_created_total', 'Orders accepted'),
    createSeconds: metrics.seconds(
      'order_create_duration_seconds',
      'From the parsed request to the answer',
    ),
    createdToShipped: metrics.seconds(
      'order_created_to_shipped_seconds',
      'From createdAt until the order shows Shipped',
    ),
    deadLetters: metrics.counter('dead_letters_total', 'Events that cannot be read', [
      'topic',
      'reason',
    ]),
  };
}
