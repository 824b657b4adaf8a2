import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import { createLoop } from '@orders/platform/process/loop';
import type { Claimed, Policy } from '../fulfillment.ts';
import { leaseMs, type Moment, momentNow } from '../lease.ts';
import type { BreakerExchange } from './breaker-exchange.ts';
import type { ClaimStore } from './claim-store.ts';
import type { Dispatch } from './dispatch.ts';
import type { ShippingBreaker } from './provider-breaker.ts';

/** A lease of this age is prolonged. */
const renewAfterMs = 4_000;
const sweepMs = 1_000;
/** Retries that become due close together are taken up together. */
const sweepMinMs = 25;
/** Orders that one sweep makes due when the provider is back. */
const resumedMax = 1_000;
/** Calls in flight when the process stops get this long; the others' leases end by themselves. */
const closeMs = 5_000;

export type Pace = {
  /** How many new fulfillments may be handed over now; 0 while older ones wait in the table. */
  room(): number;
  /** Takes claimed fulfillments; `leasedAt` is from before their claim. */
  take(claimed: Claimed[], leasedAt: Moment): void;
  /** Notes that rows are due that nobody has claimed. */
  noteBacklog(): void;
  start(): void;
  /** Takes nothing more, lets calls in flight finish (bounded), hands back the rest. */
  close(): Promise<void>;
};

/**
 * Decides how many fulfillments are claimed and when: what is due is swept up from the table, as
 * much as dispatch has room for and the breaker admits; leases of what is in hand are renewed.
 */
export function createPace(parts: {
  claims: ClaimStore;
  dispatch: Dispatch;
  breaker: ShippingBreaker;
  exchange: BreakerExchange;
  policy: Policy;
  concurrency: number;
  log: Log;
}): Pace {
  const { claims, dispatch, breaker, exchange, policy, concurrency } = parts;
  const log = parts.log.child({ station: 'dispatch' });
  const loop = createLoop({ turn, failed });
  dispatch.notify({ onFree: pullWhenFree, onDue: sweepIn, onResumed: resume });
  breaker.onClosed(resume);
  let hasBacklog = true;
  let nextSweepAt = 0;
  let lastSweepAt = 0;
  /** Rows claimed while the breaker let no call leave, since when. */
  let putOff = 0;
  let putOffFrom = 0;
  /** The provider is back: what waits for it need not wait out its backoff. */
  let isResuming = false;

  /**
   * How many rows may be claimed now. While the breaker lets no call leave, a few are claimed each
   * second all the same: they become Retrying with the reason, and come again after their backoff.
   * The rest waits in the table, and nobody spins.
   */
  function claimable(): number {
    const { calls: calling, waiting, callLimit, bytesFree } = dispatch.load();
    const free = bytesFree > 0 ? callLimit - calling - waiting : 0;
    const admitted = breaker.room();
    if (admitted > 0) return Math.min(free, admitted);
    if (performance.now() - putOffFrom >= sweepMs) {
      // Aligned to the sweep, so that each sweep starts a fresh one-second window.
      putOffFrom = Math.max(lastSweepAt, putOffFrom + sweepMs);
      putOff = 0;
    }
    return Math.min(free, concurrency - putOff);
  }

  /** A backlog is pulled in halves of what may be called at once, not row by row. */
  function isTimeToPull(): boolean {
    const { calls: calling, waiting, callLimit } = dispatch.load();
    return hasBacklog && calling + waiting <= callLimit / 2 && claimable() > 0;
  }

  function pullWhenFree(): void {
    if (isTimeToPull()) loop.wake();
  }

  function sweepIn(ms: number): void {
    const at = Math.max(performance.now() + ms, lastSweepAt + sweepMinMs);
    if (at >= nextSweepAt) return;
    nextSweepAt = at;
    loop.wake();
  }

  function resume(): void {
    isResuming = true;
    sweepIn(0);
  }

  /**
   * Orders that wait for the provider become due: as many a sweep as can be worked off when it is
   * back, and before that as many as may try whether it is, or nobody would until their backoff.
   */
  async function resumeWaiting(): Promise<void> {
    const admitted = breaker.room();
    if (admitted <= 0) return;
    const probes = dispatch.isProbing() ? 1 : Number.isFinite(admitted) ? admitted : 0;
    const most = isResuming ? resumedMax : probes;
    if (most > 0) isResuming = (await claims.resume(most)) === most && isResuming;
  }

  /** Claims what is due while there is room for it. */
  async function sweep(): Promise<void> {
    while (!loop.isStopping) {
      const free = claimable();
      if (free <= 0) return;
      const isPutOff = breaker.room() <= 0;
      const leasedAt = momentNow();
      // What the next claim does not find is no backlog; what is filed meanwhile sets this again.
      hasBacklog = false;
      const { bytesFree } = dispatch.load();
      const rows = await claims.claimDue(
        { itemsMax: free, bytesMax: bytesFree },
        { leaseMs, settleMs: policy.settleMs },
      );
      if (isPutOff) putOff += rows.length;
      dispatch.take(rows, leasedAt);
      if (rows.length < free && dispatch.load().bytesFree > 0) return;
      hasBacklog = true;
    }
  }

  async function renew(): Promise<void> {
    const leasedAt = momentNow();
    const old = dispatch.leasedFor(renewAfterMs);
    if (old.length === 0) return;
    const renewed = await claims.renew(
      old.map(({ claimed }) => claimed),
      leaseMs,
    );
    for (const entry of old) if (renewed.has(entry.claimed.orderId)) entry.leasedAt = leasedAt;
  }

  async function turn(): Promise<number> {
    const earlyMs = nextSweepAt - performance.now();
    if (earlyMs > 0 && !isTimeToPull()) return earlyMs;
    lastSweepAt = performance.now();
    nextSweepAt = lastSweepAt + sweepMs;
    await renew();
    await exchange.look();
    dispatch.startWaiting();
    await resumeWaiting();
    await sweep();
    return untilNextSweepMs();
  }

  function failed(error: unknown): number {
    log.debug({ err: messageOf(error) }, 'sweep failed');
    // A backlog is no reason to ask at once again: the database is away.
    return sweepMs;
  }

  function untilNextSweepMs(): number {
    const probeMs = breaker.waitMs();
    if (probeMs > 0 && hasBacklog) sweepIn(probeMs);
    return isTimeToPull() ? 0 : nextSweepAt - performance.now();
  }

  return {
    room: () => (hasBacklog || loop.isStopping ? 0 : dispatch.room()),
    take: dispatch.take,
    noteBacklog() {
      hasBacklog = true;
      pullWhenFree();
    },
    start: loop.start,
    async close() {
      await loop.stop();
      dispatch.stopSending();
      const deadline = performance.now() + closeMs;
      while (!dispatch.isIdle() && performance.now() < deadline) await delay(20);
      await dispatch.close();
    },
  };
}
