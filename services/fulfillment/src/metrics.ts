import { observeOutbox } from '@orders/platform/messaging/outbox-metrics';
import type { OutboxStore } from '@orders/platform/messaging/outbox-store';
import type { Metrics } from '@orders/platform/process/metrics';
import { nobodyCalled, type Outcome } from './fulfillment.ts';
import type { FulfillmentStore } from './ship/claim-store.ts';

export type FulfillmentMetrics = ReturnType<typeof createFulfillmentMetrics>;

const openStates = ['Processing', 'Retrying'];

export function createFulfillmentMetrics(
  metrics: Metrics,
  parts: { store: FulfillmentStore; outbox: OutboxStore },
) {
  observeOutbox(metrics, parts.outbox);
  metrics.gauge('fulfillments', 'Open fulfillments', ['state'], async (gauge) => {
    // While the database is away the gauge keeps its last values.
    const open = await parts.store.openByState().catch(() => undefined);
    if (open === undefined) return;
    for (const state of openStates)
      gauge.set({ state }, open.find((row) => row.state === state)?.count ?? 0);
  });
  const attempts = metrics.counter(
    'shipping_attempts_total',
    'Calls to the provider by what came of them',
    ['outcome'],
  );
  const seconds = metrics.seconds('shipping_attempt_duration_seconds', 'One call to the provider');
  return {
    pickup: metrics.seconds(
      'order_pickup_seconds',
      'From createdAt until the fulfillment is filed',
    ),
    deadLetters: metrics.counter('dead_letters_total', 'Events that cannot be read', [
      'topic',
      'reason',
    ]),
    attempted(outcome: Outcome, durationMs: number): void {
      if (nobodyCalled.has(outcome.kind)) return;
      attempts.inc({ outcome: outcome.kind });
      seconds.observe(durationMs / 1_000);
    },
    observeCallLimit(limit: () => number): void {
      metrics.gauge(
        'shipping_call_limit',
        'Calls to the provider that may be in flight',
        [],
        (gauge) => gauge.set(limit()),
      );
    },
  };
}
