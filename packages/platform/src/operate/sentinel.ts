import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { createLoop } from '../process/loop.ts';

import type { SentinelStore } from './sentinel-store.ts';

/** Rounds, or every half of the shortest deadline where that is less. */
const roundMs = 5_000;
/** An instance that dies on watch is followed by another within this. */
const lockMs = 30_000;
/**
 * A scan that has not seen everything goes on in the next round: 100,000 open orders must not keep
 * the database busy.
 */
const statementsMax = 5;
/** Orders named in one log line. */
const namedMax = 200;

/** What a log line tells of an order. */
export type Noticed = { orderId: string; reason: string; correlationId: string | null };
/**
 * One bounded statement: `found` rows were there, `next` is where to go on, null when all was seen.
 */
export type ScanResult = {
  found: number;
  next: string[] | null;
  stuck?: Noticed[];
  recovered?: Noticed[];
};
export type Scan = (after: string[] | null) => Promise<ScanResult>;

/**
 * What a service's sentinel looks for: new rows to watch, and what became of those that are
 * watched.
 */
export type Watch = { search: Scan[]; recheck: Scan };

/**
 * Looks every few seconds for orders that exceed the deadline of their state; one instance of a
 * service is on watch at a time. Two at once (one had been frozen) only look twice: each statement
 * tells what itself has changed. Logs each order when it becomes stuck and when it no longer is.
 */
export function startSentinel(parts: {
  store: SentinelStore;
  watch: Watch;
  stuckAfterMs: number;
  log: Log;
}) {
  const { store, watch, stuckAfterMs } = parts;
  const log = parts.log.child({ part: 'sentinel' });
  const pauseMs = Math.min(roundMs, stuckAfterMs / 2);
  const loop = createLoop({
    turn: async () => {
      if (await isOnWatch()) await round();
      return pauseMs;
    },
    failed: (error) => {
      log.debug({ err: messageOf(error) }, 'sentinel could not look');
      return pauseMs;
    },
  });
  const cursors = new Map<Scan, string[] | null>();
  let lockedUntil = Number.NEGATIVE_INFINITY;
  let isWatching = true;

  async function isOnWatch(): Promise<boolean> {
    const now = performance.now();
    if (lockedUntil - now > lockMs / 2) return true;
    const wasOnWatch = lockedUntil > now;
    if (!(await store.hold(lockMs))) return false;
    lockedUntil = now + lockMs;
    // What another instance left is not known here.
    if (!wasOnWatch) isWatching = true;
    return true;
  }

  /** Goes on where the scan stopped in the last round; resolves to how many rows there were. */
  async function run(scan: Scan): Promise<number> {
    let found = 0;
    for (let i = 0; i < statementsMax && !loop.isStopping; i += 1) {
      const result = await scan(cursors.get(scan) ?? null);
      cursors.set(scan, result.next);
      found += result.found;
      report(result);
      if (result.next === null) break;
    }
    return found;
  }

  async function round(): Promise<void> {
    for (const scan of watch.search) if ((await run(scan)) > 0) isWatching = true;
    if (!isWatching) return;
    const isFromStart = (cursors.get(watch.recheck) ?? null) === null;
    if ((await run(watch.recheck)) === 0 && isFromStart) isWatching = false;
  }

  function report({ stuck = [], recovered = [] }: ScanResult): void {
    for (let i = 0; i < stuck.length; i += namedMax) {
      log.warn({ orders: stuck.slice(i, i + namedMax) }, 'orders are stuck');
    }
    for (let i = 0; i < recovered.length; i += namedMax) {
      log.info({ orders: recovered.slice(i, i + namedMax) }, 'orders are no longer stuck');
    }
  }

  loop.start();
  return { close: loop.stop };
}

export type Sentinel = ReturnType<typeof startSentinel>;
