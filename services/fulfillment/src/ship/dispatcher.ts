// Station 7 of 9: dispatch. From receiving (6) come new fulfillments, already claimed, and from the
// table what is due; each goes to the provider outside any transaction, and what came of it goes to
// be reported (8).
import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import { createWakeableSleep } from '@orders/platform/process/wakeable-sleep';
import type { Claimed, Policy } from '../fulfillment.ts';
import type { FulfillmentMetrics } from '../metrics.ts';
import { createBreakerExchange } from './breaker-exchange.ts';
import type { BreakerExchangeStore } from './breaker-exchange-store.ts';
import type { FulfillmentStore } from './claim-store.ts';
import type { ShippingBreaker } from './provider-breaker.ts';
import type { ShippingClient } from './provider-client.ts';
import type { ReportOutcome } from './report-outcome.ts';
import { createShippingCalls, leaseMs } from './shipping-calls.ts';

/** A lease of this age is prolonged. */
const renewAfterMs = 4_000;
const sweepMs = 1_000;
/** Retries that become due close together are taken up together. */
const sweepMinMs = 25;
/** Calls in flight when the process stops get this long; the others' leases end by themselves. */
const closeMs = 5_000;

export type Dispatcher = {
  /** How many new fulfillments may be handed over now; 0 while older ones wait in the table. */
  room(): number;
  /** Takes claimed fulfillments; `leasedAt` is performance.now() from before their claim. */
  take(claimed: Claimed[], leasedAt: number): void;
  /** Tells that rows are due that nobody holds. */
  noteBacklog(): void;
  start(): void;
  /** Takes nothing more, lets calls in flight finish (bounded), hands back the rest. */
  close(): Promise<void>;
};

export function createDispatcher(parts: {
  store: FulfillmentStore;
  instances: BreakerExchangeStore;
  client: ShippingClient;
  breaker: ShippingBreaker;
  reports: ReportOutcome;
  metrics: FulfillmentMetrics;
  log: Log;
  policy: Policy;
  concurrency: number;
}): Dispatcher {
  const { store, breaker, reports, policy, concurrency } = parts;
  const log = parts.log.child({ station: 'dispatch' });
  const stopping = new AbortController();
  const { signal } = stopping;
  const pause = createWakeableSleep(signal);
  const calls = createShippingCalls({
    ...parts,
    log,
    signal,
    onFree: pullWhenFree,
    onDue: sweepIn,
  });
  const watch = createBreakerExchange({ store: parts.instances, breaker, load: calls.load });
  let hasBacklog = true;
  let sweeping: Promise<void> = Promise.resolve();
  let nextSweepAt = 0;
  let lastSweepAt = 0;
  /** Rows claimed while the breaker let no call leave, since when. */
  let putOff = 0;
  let putOffFrom = 0;

  /**
   * How many rows may be claimed now. While the breaker lets no call leave, a few are claimed each
   * second all the same: they become Retrying with the reason, and come again after their backoff.
   * The rest waits in the table, and nobody spins.
   */
  function claimable(): number {
    const { calls: calling, waiting, callLimit } = calls.load();
    const free = callLimit - calling - waiting;
    const admitted = breaker.room();
    if (admitted > 0) return Math.min(free, admitted);
    if (performance.now() - putOffFrom >= sweepMs) {
      // From the sweep on, so that the next one, a second later, finds a new second.
      putOffFrom = Math.max(lastSweepAt, putOffFrom + sweepMs);
      putOff = 0;
    }
    return Math.min(free, concurrency - putOff);
  }

  /** A backlog is pulled in halves of what may be called at once, not row by row. */
  function isTimeToPull(): boolean {
    const { calls: calling, waiting, callLimit } = calls.load();
    return hasBacklog && calling + waiting <= callLimit / 2 && claimable() > 0;
  }

  function pullWhenFree(): void {
    if (isTimeToPull()) pause.wake();
  }

  function sweepIn(ms: number): void {
    const at = Math.max(performance.now() + ms, lastSweepAt + sweepMinMs);
    if (at >= nextSweepAt) return;
    nextSweepAt = at;
    pause.wake();
  }

  /** Claims what is due while there is room for it. */
  async function sweep(): Promise<void> {
    while (!signal.aborted) {
      const free = claimable();
      if (free <= 0) return;
      const isHeldBack = breaker.room() <= 0;
      const leasedAt = performance.now();
      // What the next claim does not find is no backlog; what is filed meanwhile sets this again.
      hasBacklog = false;
      const rows = await store.claimDue(free, { leaseMs, settleMs: policy.settleMs });
      if (isHeldBack) putOff += rows.length;
      calls.take(rows, leasedAt);
      if (rows.length < free) return;
      hasBacklog = true;
    }
  }

  async function renew(): Promise<void> {
    const leasedAt = performance.now();
    const old = calls.leasedBefore(leasedAt - renewAfterMs);
    if (old.length === 0) return;
    const renewed = await store.renew(
      old.map(({ claimed }) => claimed),
      leaseMs,
    );
    for (const entry of old) if (renewed.has(entry.claimed.orderId)) entry.leasedAt = leasedAt;
  }

  async function sweepUntilStopped(): Promise<void> {
    while (!signal.aborted) {
      lastSweepAt = performance.now();
      nextSweepAt = lastSweepAt + sweepMs;
      try {
        await renew();
        await watch.look();
        calls.startWaiting();
        await sweep();
      } catch (error) {
        log.debug({ err: messageOf(error) }, 'sweep failed');
      }
      const probeMs = breaker.waitMs();
      if (probeMs > 0 && hasBacklog) sweepIn(probeMs);
      while (!signal.aborted && !isTimeToPull() && performance.now() < nextSweepAt) {
        await pause.sleep(nextSweepAt - performance.now());
      }
    }
  }

  return {
    room: () => (hasBacklog || signal.aborted ? 0 : calls.room()),
    take: calls.take,
    noteBacklog() {
      hasBacklog = true;
      pullWhenFree();
    },
    start() {
      sweeping = sweepUntilStopped();
    },
    async close() {
      stopping.abort();
      await sweeping;
      calls.handBack();
      const deadline = performance.now() + closeMs;
      while (!calls.isIdle() && performance.now() < deadline) await delay(20);
      await calls.close();
      await reports.close();
    },
  };
}
