import type { Metrics } from '../process/metrics.ts';
import type { OutboxDepth, OutboxStore } from './outbox-store.ts';

/** One count serves the gauges of one scrape. */
const rememberMs = 500;

/**
 * Adds the gauges of a service's outbox. While the database is away they keep their last values.
 */
export function observeOutbox(metrics: Metrics, outbox: OutboxStore): void {
  let asked: Promise<OutboxDepth | undefined> = Promise.resolve(undefined);
  let askedAt = Number.NEGATIVE_INFINITY;
  const depth = (): Promise<OutboxDepth | undefined> => {
    if (performance.now() - askedAt > rememberMs) {
      askedAt = performance.now();
      asked = outbox.depth().catch(() => undefined);
    }
    return asked;
  };
  const gauge = (name: string, help: string, pick: (depth: OutboxDepth) => number) =>
    metrics.gauge(name, help, [], async (self) => {
      const now = await depth();
      if (now !== undefined) self.set(pick(now));
    });
  gauge('outbox_unpublished', 'Events that wait to be published', ({ rows }) => rows);
  gauge(
    'outbox_oldest_unpublished_seconds',
    'Age of the oldest unpublished event',
    ({ oldestSeconds }) => oldestSeconds,
  );
  gauge('outbox_refused', 'Events that the broker refuses for good', ({ refused }) => refused);
}
