// Station 4 of 9: publish. From placing (3) or reporting (8) come rows of the outbox; the broker
// (5) takes them, and only then they are deleted. What fails is marked, backed off and drained
// later.
import { setTimeout as delay } from 'node:timers/promises';
import { createBatcher, QueueFull } from '../process/batcher.ts';
import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { createLoop } from '../process/loop.ts';
import type { Metrics } from '../process/metrics.ts';

import { type Broker, RefusedEvent } from './broker.ts';
import { batchBytesMax, batchItemsMax, createOutboxPublisher } from './outbox-publisher.ts';
import { bytesOf, isEvent, type OutboxRow, type OutboxStore } from './outbox-store.ts';

/** Marks gather: a late mark costs nothing but a copy after a crash. */
const markLingerMs = 5;
const markLingerItems = 200;
const sweepMs = 1_000;
/** Events that one sweep holds in memory. */
const sweepBytesMax = 4_000_000;
/** A topic of dead letters that fails is tried again after this. */
const copyDelayMs = 30_000;
const backoffMinMs = 200;
const backoffMaxMs = 5_000;
/**
 * What is being published when the process stops gets this long; the rest is released for others.
 */
const closeMs = 6_000;

type Failure = { row: OutboxRow; error: unknown };

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

  const publisher = createOutboxPublisher({ name, broker, log, metrics: parts.metrics });

  /** One row through publisher and mark; rejects where it stays for later. */
  async function relay(row: OutboxRow): Promise<void> {
    try {
      await publisher.add(row);
    } catch (error) {
      if (!(error instanceof RefusedEvent)) throw error;
      return await refused(row, messageOf(error));
    }
    // I3: the broker has acknowledged the event; only now may its row be deleted.
    await marks.add(row);
  }

  async function refused(row: OutboxRow, reason: string): Promise<void> {
    const { key, topic } = row;
    if (!isEvent(row)) {
      log.warn({ key, topic, err: reason }, 'copy of a dead letter refused, the letter is kept');
      return await marks.add(row);
    }
    log.error({ orderId: key, topic, err: reason }, 'event refused by the broker, parked');
    await store.park([row], reason);
    await events.onFailed?.([row]);
  }

  /** Rows that were not published, each with its error. Never rejects. */
  async function relayAll(rows: OutboxRow[]): Promise<Failure[]> {
    const results = await Promise.allSettled(rows.map(relay));
    return rows.flatMap((row, i) => {
      const result = results[i];
      return result?.status === 'rejected' ? [{ row, error: result.reason }] : [];
    });
  }

  async function relayHot(rows: OutboxRow[]): Promise<void> {
    await settle(await relayAll(rows));
  }

  /**
   * Gives back what was not published. Resolves to the error that makes the relay cold: a full
   * queue of ours is none, nor is a topic of dead letters that fails.
   */
  async function settle(failures: Failure[]): Promise<unknown> {
    if (failures.length === 0) return undefined;
    const [ill] = failures.filter(
      ({ row, error }) => isEvent(row) && !(error instanceof QueueFull),
    );
    if (ill !== undefined) goCold(ill.error);
    const [own, copies] = [true, false].map((kind) =>
      failures.map(({ row }) => row).filter((row) => isEvent(row) === kind),
    ) as [OutboxRow[], OutboxRow[]];
    await giveBack(own, 0);
    if (copies.length > 0) {
      log.debug({ err: messageOf(failures[0]?.error) }, 'copies of dead letters wait');
      await giveBack(copies, copyDelayMs);
    }
    return ill?.error;
  }

  function goCold(error: unknown): void {
    if (!isHot) return;
    isHot = false;
    breakerState.set({ name: 'broker' }, 2);
    log.warn({ relay: name, err: messageOf(error) }, 'publishing fails, events wait in the outbox');
    loop.wake();
  }

  /** Makes rows free again, after `delayMs`. */
  async function giveBack(rows: OutboxRow[], delayMs: number): Promise<void> {
    if (rows.length === 0) return;
    try {
      if (rows.some(isEvent)) await events.onFailed?.(rows);
      await store.release(rows, delayMs);
    } catch (error) {
      // The claims end by themselves.
      log.debug({ relay: name, err: messageOf(error) }, 'claims not released');
    }
  }

  /**
   * Takes up what crashes and failures left, until nothing is left. Rejects when the store or the
   * broker fails. While cold it takes one batch at a time: the next may have to wait as long.
   */
  async function sweep(): Promise<void> {
    for (;;) {
      // What waits here in memory may have outlived its claim: it is published soon, and taking it
      // twice would add to the queue.
      if (isHot && publisher.size > batchItemsMax) return;
      const bytesMax = isHot ? sweepBytesMax : batchBytesMax;
      const rows = await store.claim({ itemsMax: batchItemsMax, bytesMax, claimMs });
      const failures = await relayAll(rows);
      const error = await settle(failures);
      if (error !== undefined) throw error;
      const waiting = new Set(failures.map(({ row }) => row));
      const recovered = rows.filter((row) => isEvent(row) && !waiting.has(row));
      if (recovered.length > 0) await events.onRecovered?.(recovered);
      const bytes = rows.reduce((sum, row) => sum + bytesOf(row), 0);
      const isMore = rows.length === batchItemsMax || bytes >= bytesMax;
      if (!isMore || failures.length > 0 || loop.isStopping) return;
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
      const handOff = isHot && !loop.isStopping ? relayHot(rows) : giveBack(rows, 0);
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
