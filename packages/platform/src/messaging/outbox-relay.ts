// Station 4 of 9: publish. From placing (3) or reporting (8) come rows of the outbox; the broker
// (5) takes them, and only then they are deleted. What fails is marked, backed off and drained
// later.
import { setTimeout as delay } from 'node:timers/promises';
import { createBatcher } from '../process/batcher.ts';
import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { createLoop } from '../process/loop.ts';
import type { Metrics } from '../process/metrics.ts';

import { type Broker, RefusedEvent } from './broker.ts';
import type { OutboxRow, OutboxStore } from './outbox-store.ts';

/**
 * One produce request: well below the 1 MB that a broker takes, and few enough to be handled within
 * a second.
 */
const batchItemsMax = 500;
const batchBytesMax = 700_000;
/** Rows handed over hot that may wait in memory; further ones are left to the sweep. */
const hotQueueMax = 10_000;
const hotQueueBytesMax = 32_000_000;
/** Marks gather: a late mark costs nothing but a copy after a crash. */
const markLingerMs = 5;
const markLingerItems = 200;
const sweepMs = 1_000;
const backoffMinMs = 200;
const backoffMaxMs = 5_000;
/**
 * What is being published when the process stops gets this long; the rest is released for others.
 */
const closeMs = 6_000;

export type RelayEvents = {
  /**
   * These keys' events could not be published now. Called once per failed batch; failures of the
   * hook are only logged.
   */
  onFailed?: (rows: OutboxRow[]) => Promise<void>;
  /**
   * Events are published that had not been handed over hot: their publishing, or their process, had
   * failed before.
   */
  onRecovered?: (rows: OutboxRow[]) => Promise<void>;
};

export type OutboxRelay = {
  /**
   * Whether rows should be inserted already claimed by this instance, for `claimMs`, and then be
   * offered.
   */
  readonly isHot: boolean;
  /**
   * A little longer than a publish may take; when it ends unpublished, any instance may take the
   * row.
   */
  readonly claimMs: number;
  /**
   * Hot hand-off of committed rows; never waits and never fails: what it cannot take is swept up
   * later.
   */
  offer(rows: OutboxRow[]): void;
  start(): void;
  close(): Promise<void>;
};

/**
 * Publishes a service's outbox at least once. Hot: rows go from memory to the broker right after
 * their commit. After a failed publish it is cold: claims are released, and one loop drains the
 * table by key with backoff until nothing is left, then it is hot again.
 */
export function createOutboxRelay(parts: {
  name: string;
  store: OutboxStore;
  broker: Broker;
  log: Log;
  metrics: Metrics;
  claimMs?: number;
  events?: RelayEvents;
}): OutboxRelay {
  const { name, store, broker, events = {}, claimMs = 10_000 } = parts;
  const log = parts.log.child({ station: 'publish' });
  const publishSeconds = parts.metrics.seconds(
    'order_publish_duration_seconds',
    'Publishing one batch of events',
  );
  const { breakerState } = parts.metrics;
  breakerState.set({ name: 'broker' }, 0);
  const loop = createLoop({ turn, failed });
  let backoffMs = backoffMinMs;
  let isHot = true;
  /** Hand-offs whose rows are not yet marked or given back; none of them ever rejects. */
  const handOffs = new Set<Promise<void>>();

  const marks = createBatcher<OutboxRow, void>({
    name: `${name} marks`,
    flush: async (rows) => {
      await store.mark(rows);
      return [];
    },
    itemsMax: 1_000,
    queueMax: 50_000,
    lingerMs: markLingerMs,
    lingerItems: markLingerItems,
  });

  const publisher = createBatcher<OutboxRow, void>({
    name: `${name} publisher`,
    flush: async (rows) => {
      await publish(rows);
      return [];
    },
    itemsMax: batchItemsMax,
    bytesMax: batchBytesMax,
    bytesOf: ({ payload, bytes }) =>
      payload === null ? (bytes?.length ?? 0) : Buffer.byteLength(payload),
    queueMax: hotQueueMax,
    queueBytesMax: hotQueueBytesMax,
    splitOn: (error) => error instanceof RefusedEvent,
  });

  async function publish(rows: OutboxRow[]): Promise<void> {
    const began = performance.now();
    for (const [topic, ofTopic] of Map.groupBy(rows, (row) => row.topic)) {
      await broker.publish(topic, ofTopic.map(toEvent));
      const named = ofTopic.map(({ key, sequence, correlationId }) => ({
        orderId: key,
        sequence,
        correlationId,
      }));
      log.info(
        { topic, events: named, durationMs: Math.round(performance.now() - began) },
        'events published',
      );
    }
    publishSeconds.observe((performance.now() - began) / 1_000);
  }

  /**
   * One row through publisher and mark; true when it is published or parked, false when it stays
   * for later.
   */
  async function relay(row: OutboxRow): Promise<boolean> {
    try {
      await publisher.add(row);
    } catch (error) {
      if (!(error instanceof RefusedEvent)) throw error;
      log.error(
        { orderId: row.key, topic: row.topic, err: messageOf(error) },
        'event refused by the broker, parked',
      );
      await store.park([row], messageOf(error));
      await events.onFailed?.([row]);
      return false;
    }
    // I3: the broker has acknowledged the event; only now may its row be deleted.
    await marks.add(row);
    return true;
  }

  /** Rows that were not published, and the first error among them. Never rejects. */
  async function relayAll(rows: OutboxRow[]): Promise<{ failed: OutboxRow[]; error: unknown }> {
    const results = await Promise.allSettled(rows.map(relay));
    const failed = rows.filter((_, i) => results[i]?.status === 'rejected');
    const error = results.find((result) => result.status === 'rejected')?.reason;
    return { failed, error };
  }

  async function relayHot(rows: OutboxRow[]): Promise<void> {
    const { failed, error } = await relayAll(rows);
    if (failed.length === 0) return;
    goCold(error);
    await giveBack(failed);
  }

  function goCold(error: unknown): void {
    if (!isHot) return;
    isHot = false;
    breakerState.set({ name: 'broker' }, 2);
    log.warn({ relay: name, err: messageOf(error) }, 'publishing fails, events wait in the outbox');
    loop.wake();
  }

  async function giveBack(rows: OutboxRow[]): Promise<void> {
    try {
      await events.onFailed?.(rows);
      await store.release(rows);
    } catch (error) {
      // The claims end by themselves.
      log.debug({ relay: name, err: messageOf(error) }, 'claims not released');
    }
  }

  /**
   * Takes up what crashes and failures left, until nothing is left. Rejects when the store or the
   * broker fails.
   */
  async function sweep(): Promise<void> {
    for (;;) {
      // What waits here in memory may have outlived its claim: it is published soon, and taking it
      // twice would add to the queue.
      if (isHot && publisher.size > batchItemsMax) return;
      const rows = await store.claim(batchItemsMax, claimMs);
      const { failed, error } = await relayAll(rows);
      if (failed.length > 0) {
        goCold(error);
        await giveBack(failed);
        throw error;
      }
      if (rows.length > 0) await events.onRecovered?.(rows);
      if (rows.length < batchItemsMax || loop.isStopping) return;
    }
  }

  async function turn(): Promise<number> {
    await sweep();
    backoffMs = backoffMinMs;
    // What is still being given back was only invisible to the sweep: finding nothing does not mean
    // that publishing works.
    if (!isHot && handOffs.size === 0) {
      isHot = true;
      breakerState.set({ name: 'broker' }, 0);
      log.info({ relay: name }, 'publishing works again');
    }
    return isHot ? sweepMs : backoffMs;
  }

  function failed(error: unknown): number {
    log.debug({ relay: name, err: messageOf(error) }, 'sweep failed');
    backoffMs = Math.min(backoffMaxMs, backoffMs * 2);
    return isHot ? sweepMs : backoffMs;
  }

  return {
    get isHot() {
      return isHot && !loop.isStopping;
    },
    claimMs,
    offer(rows) {
      const handOff = isHot && !loop.isStopping ? relayHot(rows) : giveBack(rows);
      handOffs.add(handOff);
      void handOff.finally(() => handOffs.delete(handOff));
    },
    start: loop.start,
    async close() {
      const swept = loop.stop();
      const published = publisher.close().then(() => Promise.all(handOffs));
      const drained = Promise.all([swept, published]).then(() => marks.close());
      await Promise.race([drained, delay(closeMs, undefined, { ref: false })]);
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
