import { type Batcher, createBatcher } from '../process/batcher.ts';
import type { Log } from '../process/log.ts';
import type { Metrics } from '../process/metrics.ts';
import { type Broker, RefusedEvent } from './broker.ts';
import { bytesOf, type OutboxRow } from './outbox-store.ts';

/**
 * One produce request: well below the 1 MB that a broker takes, and few enough to be handled within
 * a second.
 */
export const batchItemsMax = 500;
export const batchBytesMax = 700_000;
/** Rows handed over hot that may wait in memory; further ones are left to the sweep. */
const queueMax = 10_000;
const queueBytesMax = 32_000_000;

/**
 * Publishes rows of the outbox, the rows of each topic in batches of their own: a topic that fails
 * is no failure of the others. `add` resolves when the broker has the row. It rejects with
 * `RefusedEvent` where the broker never takes this row, with `QueueFull`, and with the error of its
 * batch, which may be published all the same.
 */
export function createOutboxPublisher(parts: {
  name: string;
  broker: Broker;
  log: Log;
  metrics: Metrics;
}): Batcher<OutboxRow, undefined> {
  const { name, broker, log } = parts;
  const publishSeconds = parts.metrics.seconds(
    'order_publish_duration_seconds',
    'Publishing one batch of events',
  );
  /** A service has two: its events, and the dead letters of those that it reads. */
  const byTopic = new Map<string, Batcher<OutboxRow, undefined>>();

  function batcherOf(topic: string): Batcher<OutboxRow, undefined> {
    const known = byTopic.get(topic);
    if (known !== undefined) return known;
    const batcher = createBatcher<OutboxRow, undefined>({
      name: `${name} ${topic}`,
      flush: (rows) => publish(topic, rows),
      itemsMax: batchItemsMax,
      bytesMax: batchBytesMax,
      bytesOf,
      queueMax,
      queueBytesMax,
      splitOn: (error) => error instanceof RefusedEvent,
    });
    byTopic.set(topic, batcher);
    return batcher;
  }

  async function publish(topic: string, rows: OutboxRow[]): Promise<undefined[]> {
    const began = performance.now();
    await broker.publish(topic, rows.map(toEvent));
    const durationMs = Math.round(performance.now() - began);
    publishSeconds.observe(durationMs / 1_000);
    const events = rows.map(({ key, sequence, correlationId }) => ({
      orderId: key,
      sequence,
      correlationId,
    }));
    log.info({ topic, events, durationMs }, 'events published');
    return [];
  }

  return {
    add: (row) => batcherOf(row.topic).add(row),
    get size() {
      return [...byTopic.values()].reduce((sum, { size }) => sum + size, 0);
    },
    async close() {
      await Promise.all([...byTopic.values()].map((batcher) => batcher.close()));
    },
  };
}

function toEvent(row: OutboxRow) {
  if (row.payload === null)
    return { key: row.key, value: row.bytes ?? Buffer.alloc(0), headers: row.headers ?? {} };
  const headers: Record<string, string> = {
    'event-id': row.eventId,
    'event-type': row.eventType,
    'content-type': 'application/json',
  };
  if (row.traceparent !== null) headers.traceparent = row.traceparent;
  return { key: row.key, value: row.payload, headers };
}
