import { observeOutbox } from '@orders/platform/messaging/outbox-metrics';
import type { OutboxStore } from '@orders/platform/messaging/outbox-store';
import type { Database } from '@orders/platform/postgres/database';
import type { Metrics } from '@orders/platform/process/metrics';
import { nobodyCalled, type Outcome } from './outcome.ts';

export type FulfillmentMetrics = ReturnType<typeof createFulfillmentMetrics>;

const openStates = ['Processing', 'Retrying'];

export function createFulfillmentMetrics(
  metrics: Metrics,
  parts: { database: Database; outbox: OutboxStore },
) {
  observeOutbox(metrics, parts.outbox);
  metrics.gauge('fulfillments', 'Open fulfillments', ['state'], async (gauge) => {
    // While the database is away the gauge keeps its last values.
    const open = await openByState(parts.database).catch(() => undefined);
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
    foreignAnswers: metrics.counter(
      'shipping_foreign_answers_total',
      "Answers of the provider that carried another order's reference",
    ),
    observeCallLimit(limit: () => { calls: number; pausedMs: number }): void {
      metrics.gauge(
        'shipping_call_limit',
        'Calls to the provider that may be in flight',
        [],
        (gauge) => gauge.set(limit().calls),
      );
      metrics.gauge(
        'shipping_paused_seconds',
        'Left of a pause that the provider asked for (429)',
        [],
        (gauge) => gauge.set(limit().pausedMs / 1_000),
      );
    },
  };
}

/** How many fulfillments of each open state there are. */
export const openByState = (database: Database): Promise<{ state: string; count: number }[]> =>
  database.query(openByStateStatement, []);

const openByStateStatement = {
  name: 'fulfillment-open-by-state',
  text: `
    SELECT state, count(*)::int AS count
    FROM fulfillments
    WHERE due_at IS NOT NULL
    GROUP BY state`,
};
