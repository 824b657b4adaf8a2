// Station 7 of 9: dispatch. From receiving (6) come new fulfillments, already claimed, and from the table what is due; each goes to the provider outside any transaction, and what came of it goes to be reported (8).
import { setTimeout as delay } from 'node:timers/promises';
import { createAlarm } from '@orders/platform/alarm';
import { messageOf } from '@orders/platform/errors';
import type { Log } from '@orders/platform/log';
import { decide, type Held, type Outcome, type Policy } from './fulfillment.ts';
import type { FulfillmentMetrics } from './fulfillment-metrics.ts';
import type { FulfillmentStore } from './fulfillment-store.ts';
import type { ReportOutcome } from './report-outcome.ts';
import type { ShippingBreaker } from './shipping-breaker.ts';
import type { ShippingClient } from './shipping-client.ts';

/** What a process forgets is taken up by another after this. */
export const leaseMs = 15_000;
/** A lease of this age is prolonged; what is older than half a lease is not sent any more but handed back. */
const renewAfterMs = 4_000;
const tooOldToSendMs = leaseMs / 2;
const sweepMs = 1_000;
/** Retries that become due close together are taken up together. */
const sweepMinMs = 25;
/** Calls in flight when the process stops get this long; the others' leases end by themselves. */
const closeMs = 5_000;
/** Rows taken from the filing may wait for a free call as long as they are expected to start within this. */
const waitForCallMs = 100;
const callMsAtStart = 20;

export type Dispatcher = {
  /** How many new fulfillments may be handed over now; 0 while older ones wait in the table. */
  room(): number;
  /** Takes claimed fulfillments; `leasedAt` is performance.now() from before their claim. */
  take(held: Held[], leasedAt: number): void;
  /** Tells that rows were filed that nobody holds. */
  noteBacklog(): void;
  start(): void;
  /** Takes nothing more, lets calls in flight finish (bounded), hands back the rest. */
  close(): Promise<void>;
};

type InHand = { held: Held; leasedAt: number };

export function createDispatcher(parts: {
  store: FulfillmentStore;
  client: ShippingClient;
  breaker: ShippingBreaker;
  reports: ReportOutcome;
  metrics: FulfillmentMetrics;
  log: Log;
  policy: Policy;
  concurrency: number;
}): Dispatcher {
  const { store, client, breaker, reports, metrics, policy, concurrency } = parts;
  const log = parts.log.child({ station: 'dispatch' });
  const inHand = new Map<string, InHand>();
  const waiting: InHand[] = [];
  const stopping = new AbortController();
  const alarm = createAlarm(stopping.signal);
  let calling = 0;
  let callMs = callMsAtStart;
  let hasBacklog = true;
  let sweeping: Promise<void> = Promise.resolve();
  let nextSweepAt = 0;
  let lastSweepAt = 0;

  function room(): number {
    if (hasBacklog || stopping.signal.aborted) return 0;
    const startSoon = Math.min(4 * concurrency, Math.floor((concurrency * waitForCallMs) / callMs));
    return Math.max(0, concurrency + startSoon - calling - waiting.length);
  }

  function take(rows: Held[], leasedAt: number): void {
    for (const held of rows) {
      const entry = { held, leasedAt };
      inHand.set(held.orderId, entry);
      waiting.push(entry);
    }
    startCalls();
  }

  function startCalls(): void {
    while (calling < concurrency && waiting.length > 0) {
      const entry = waiting.shift() as InHand;
      calling += 1;
      void dispatch(entry);
    }
    if (isTimeToPull()) alarm.ring();
  }

  /** A backlog is pulled in halves of what may be called at once, not row by row. */
  const isTimeToPull = (): boolean => hasBacklog && calling + waiting.length <= concurrency / 2;

  /** One fulfillment through its call and its report. Never rejects. */
  async function dispatch(entry: InHand): Promise<void> {
    const { held } = entry;
    const began = performance.now();
    let outcome: Outcome;
    try {
      outcome = await callProvider(entry);
    } catch (error) {
      log.error({ orderId: held.orderId, err: error }, 'dispatch failed');
      outcome = { kind: held.mustLookUp ? 'no_answer' : 'unknown', error: messageOf(error) };
    }
    const durationMs = performance.now() - began;
    callMs += (durationMs - callMs) * 0.05;
    calling -= 1;
    startCalls();
    metrics.attempted(outcome, durationMs);
    try {
      const decision = decide(held, outcome, { durationMs, now: new Date(), random: Math.random() }, policy);
      const isWritten = await reports.report(held, decision);
      if (isWritten && decision.dueMs !== null) sweepIn(decision.dueMs);
    } catch (error) {
      log.debug({ orderId: held.orderId, err: messageOf(error) }, 'outcome not written, the lease will end');
    } finally {
      if (inHand.get(held.orderId) === entry) inHand.delete(held.orderId);
    }
  }

  async function callProvider({ held, leasedAt }: InHand): Promise<Outcome> {
    // A process that was stopped or held up for long may have lost the row to another meanwhile.
    const isTooOld = (): boolean => performance.now() - leasedAt > tooOldToSendMs;
    if (isTooOld() || stopping.signal.aborted) return { kind: 'handed_back' };
    if (held.mustLookUp) {
      const whenOpen: Outcome = { kind: 'no_answer', error: 'circuit breaker open' };
      return await breaker.execute(() => client.lookUp(held), whenOpen);
    }
    // Half-open, the breaker lets a call wait for the probe: the age is looked at again when its turn has come.
    const send = async (): Promise<Outcome> => (isTooOld() ? { kind: 'handed_back' } : await client.ship(held));
    return await breaker.execute(send, { kind: 'not_sent', error: 'circuit breaker open' });
  }

  function sweepIn(ms: number): void {
    const at = Math.max(performance.now() + ms, lastSweepAt + sweepMinMs);
    if (at >= nextSweepAt) return;
    nextSweepAt = at;
    alarm.ring();
  }

  /** Claims what is due while there is room for it. */
  async function sweep(): Promise<void> {
    while (!stopping.signal.aborted) {
      const free = concurrency - calling - waiting.length;
      if (free <= 0) return;
      const leasedAt = performance.now();
      // What the next claim does not find is no backlog; what is filed meanwhile sets this again.
      hasBacklog = false;
      const rows = await store.claimDue(free, { leaseMs, settleMs: policy.settleMs });
      take(rows, leasedAt);
      if (rows.length < free) return;
      hasBacklog = true;
    }
  }

  async function renew(): Promise<void> {
    const leasedAt = performance.now();
    const old = [...inHand.values()].filter((entry) => leasedAt - entry.leasedAt > renewAfterMs);
    if (old.length === 0) return;
    const renewed = await store.renew(
      old.map(({ held }) => held),
      leaseMs,
    );
    for (const entry of old) if (renewed.has(entry.held.orderId)) entry.leasedAt = leasedAt;
  }

  async function sweepUntilStopped(): Promise<void> {
    while (!stopping.signal.aborted) {
      lastSweepAt = performance.now();
      nextSweepAt = lastSweepAt + sweepMs;
      try {
        await renew();
        await sweep();
      } catch (error) {
        log.debug({ err: messageOf(error) }, 'sweep failed');
      }
      while (!stopping.signal.aborted && !isTimeToPull() && performance.now() < nextSweepAt) {
        await alarm.sleep(nextSweepAt - performance.now());
      }
    }
  }

  return {
    room,
    take,
    noteBacklog() {
      hasBacklog = true;
      if (isTimeToPull()) alarm.ring();
    },
    start() {
      sweeping = sweepUntilStopped();
    },
    async close() {
      stopping.abort();
      await sweeping;
      // These only go back, which needs no free call; hanging ones would keep them until their leases end.
      for (const entry of waiting.splice(0)) {
        calling += 1;
        void dispatch(entry);
      }
      const deadline = performance.now() + closeMs;
      while (inHand.size > 0 && performance.now() < deadline) await delay(20);
      await reports.close();
    },
  };
}
