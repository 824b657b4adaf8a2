// Station 7 of 9: dispatch. From receiving (6) and from the table (pace.ts) come claimed
// fulfillments. Each is sent to the provider, or looked up there, outside any transaction; its
// outcome goes to be reported (8).
import { createBatcher } from '@orders/platform/process/batcher';
import { messageOf } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import { type Claimed, decide, type Policy } from '../fulfillment.ts';
import { ageMsOf, leaseMs, type Moment } from '../lease.ts';
import type { FulfillmentMetrics } from '../metrics.ts';
import { isTooMany, nobodyCalled, type Outcome } from '../outcome.ts';
import { createAnswerWatch } from './answer-watch.ts';
import { createCallLimit } from './call-limit.ts';
import type { ClaimStore, Standing } from './claim-store.ts';
import type { ShippingBreaker } from './provider-breaker.ts';
import type { ShippingClient } from './provider-client.ts';
import type { ReportOutcome } from './report-outcome.ts';

/** A claim older than half a lease is not sent any more but handed back. */
const tooOldToSendMs = leaseMs / 2;
/**
 * A claim says whether the order is still wanted. A row that has waited longer than this for a free
 * call is asked for again.
 */
const askAgainAfterMs = 250;
const askQueueMax = 20_000;
/** As many new rows are taken from receiving as are expected to start within this. */
const waitForCallMs = 100;
const callMsAtStart = 20;
/** Orders in this process have so many bytes together before no more are claimed. */
const inHandBytesMax = 24_000_000;
/** Answers by which the provider took the call, whatever it says of the order. */
const isTaken = new Set<Outcome['kind']>(['shipped', 'refused', 'not_found']);

/** A fulfillment in this process; `leasedAt` and `claimedAt` are from before the statement. */
export type InHand = { claimed: Claimed; leasedAt: Moment; claimedAt: Moment };

/**
 * Is called when a call has ended, when a fulfillment is due again in so many milliseconds, and
 * when the provider takes calls again after a pause.
 */
export type DispatchListener = { onFree(): void; onDue(ms: number): void; onResumed(): void };

export type Dispatch = ReturnType<typeof createDispatch>;

/** Takes claimed fulfillments, calls the provider and hands the outcomes to reporting. */
export function createDispatch(parts: {
  claims: ClaimStore;
  client: ShippingClient;
  breaker: ShippingBreaker;
  reports: ReportOutcome;
  metrics: FulfillmentMetrics;
  log: Log;
  policy: Policy;
  concurrency: number;
}) {
  const { claims, client, breaker, reports, metrics, policy, concurrency } = parts;
  const log = parts.log.child({ station: 'dispatch' });
  const inHand = new Map<string, InHand>();
  const waiting: InHand[] = [];
  const limit = createCallLimit(concurrency, { pauseMaxMs: policy.backoffMaxMs });
  const watch = createAnswerWatch({ metrics, log });
  let calling = 0;
  let bytes = 0;
  let isStopping = false;
  let listener: DispatchListener = {
    onFree: () => undefined,
    onDue: () => undefined,
    onResumed: () => undefined,
  };
  let callMs = callMsAtStart;
  metrics.observeCallLimit(() => ({
    calls: limit.at(performance.now()),
    pausedMs: limit.pausedMs(performance.now()),
  }));
  const asking = createBatcher<Claimed, Standing>({
    name: 'claims',
    flush: async (asked) => {
      const standings = await claims.askAgain(asked);
      return asked.map(({ orderId }) => standings.get(orderId) ?? 'lost');
    },
    itemsMax: 500,
    queueMax: askQueueMax,
  });

  function startWaiting(): void {
    while (waiting.length > 0 && calling < limit.at(performance.now()))
      begin(waiting.shift() as InHand);
    listener.onFree();
  }

  function begin(entry: InHand): void {
    calling += 1;
    void dispatch(entry);
  }

  /** One fulfillment through its call and its report. Never rejects. */
  async function dispatch(entry: InHand): Promise<void> {
    const { claimed } = entry;
    const began = performance.now();
    let outcome: Outcome;
    try {
      outcome = await callProvider(entry);
    } catch (error) {
      log.error({ orderId: claimed.orderId, err: error }, 'dispatch failed');
      outcome = { kind: claimed.mustLookUp ? 'no_answer' : 'unknown', error: messageOf(error) };
    }
    const now = performance.now();
    const durationMs = now - began;
    calling -= 1;
    if (!nobodyCalled.has(outcome.kind)) callMs += (durationMs - callMs) * 0.05;
    adjustLimit(outcome, began, now);
    startWaiting();
    metrics.attempted(outcome, durationMs);
    watch.see(claimed, outcome);
    try {
      const decision = decide(
        claimed,
        outcome,
        { durationMs, now: new Date(), random: Math.random() },
        policy,
      );
      const isWritten = await reports.report(claimed, decision);
      if (isWritten && decision.dueMs !== null) listener.onDue(decision.dueMs);
    } catch (error) {
      log.debug(
        { orderId: claimed.orderId, err: messageOf(error) },
        'outcome not written, the lease will end',
      );
    } finally {
      bytes -= claimed.payload.length;
      if (inHand.get(claimed.orderId) === entry) inHand.delete(claimed.orderId);
      listener.onFree();
    }
  }

  function adjustLimit(outcome: Outcome, began: number, now: number): void {
    if (isTooMany(outcome)) {
      const retryAfterMs = 'retryAfterMs' in outcome ? (outcome.retryAfterMs ?? 0) : 0;
      limit.tooMany(began, now, retryAfterMs);
    } else if (isTaken.has(outcome.kind) && limit.taken(began, now)) listener.onResumed();
  }

  async function callProvider(entry: InHand): Promise<Outcome> {
    const { claimed, claimedAt } = entry;
    // I10: the claim saw the request and began no attempt, so nothing can be booked.
    if (claimed.isCancelRequested && !claimed.mustLookUp) return { kind: 'cancelled' };
    if (isTooLate(entry)) return { kind: 'handed_back' };
    if (!claimed.mustLookUp && ageMsOf(claimedAt) > askAgainAfterMs) {
      const standing = await askAgain(claimed);
      if (standing === 'unwanted') return { kind: 'cancelled' };
      if (standing === 'lost' || isTooLate(entry)) return { kind: 'handed_back' };
    }
    // I4: the attempt is on record; only now may the call leave. I7: a look-up where one is open.
    // Nothing may wait between the look at the lease and the call: what the breaker does not let
    // through comes back at once.
    return claimed.mustLookUp
      ? await breaker.lookUp(claimed, () => client.lookUp(claimed))
      : await breaker.ship(claimed, () => client.ship(claimed));
  }

  /** A process that was stopped for long may have lost the row to another meanwhile. */
  function isTooLate({ leasedAt }: InHand): boolean {
    return ageMsOf(leasedAt) > tooOldToSendMs || isStopping;
  }

  /** `lost` also where the database does not say: then nothing may be sent. */
  async function askAgain(claimed: Claimed): Promise<Standing> {
    try {
      return await asking.add(claimed);
    } catch (error) {
      log.debug(
        { orderId: claimed.orderId, err: messageOf(error) },
        'the database does not say whether the order is still wanted',
      );
      return 'lost';
    }
  }

  return {
    notify(next: DispatchListener): void {
      listener = next;
    },
    take(rows: Claimed[], leasedAt: Moment): void {
      for (const claimed of rows) {
        const entry = { claimed, leasedAt, claimedAt: leasedAt };
        inHand.set(claimed.orderId, entry);
        bytes += claimed.payload.length;
        waiting.push(entry);
      }
      startWaiting();
    },
    /** Begins what waits where the limit has risen. */
    startWaiting,
    /** Whether the provider may take calls again after a pause: one call tries it. */
    isProbing: () => limit.isProbing(performance.now()),
    /** Calls in flight, what waits for one, and the bytes that may be claimed beside them. */
    load: () => ({
      calls: calling,
      waiting: waiting.length,
      bytesFree: Math.max(0, inHandBytesMax - bytes),
      callLimit: limit.at(performance.now()),
      pausedMs: limit.pausedMs(performance.now()),
    }),
    /** How many more would begin within a moment. */
    room(): number {
      if (bytes >= inHandBytesMax) return 0;
      const allowed = limit.at(performance.now());
      const startSoon = Math.min(4 * allowed, Math.floor((allowed * waitForCallMs) / callMs));
      return Math.max(0, allowed + startSoon - calling - waiting.length);
    },
    /** What is in hand by leases that are older than so many milliseconds. */
    leasedFor: (ms: number): InHand[] =>
      [...inHand.values()].filter(({ leasedAt }) => ageMsOf(leasedAt) > ms),
    isIdle: (): boolean => inHand.size === 0,
    /** From now on nothing is sent: rows that wait are handed back, without waiting for a call. */
    stopSending(): void {
      isStopping = true;
      for (const entry of waiting.splice(0)) begin(entry);
    },
    async close(): Promise<void> {
      await asking.close();
      await reports.close();
    },
  };
}
