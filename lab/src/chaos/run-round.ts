import type { NewOrder, OrderListEntry } from '@orders/contracts/orders/api';
import { startOrderWatch } from '../kit/order-watch.ts';
import { readOrders } from '../kit/orders.ts';
import { type Besides, reconcile } from '../kit/reconcile.ts';
import { readLedger } from '../kit/shipping-provider.ts';
import { elapse, until } from '../kit/until.ts';
import { type OrderLoad, startOrderLoad } from '../load/order-load.ts';
import { attribute } from './attribution.ts';
import { runAudit } from './audit-run.ts';
import { busyOnes } from './cpu-watch.ts';
import { produceForeignOrders } from './foreign-producer.ts';
import { type Inflicted, inflict } from './inflict-fault.ts';
import { withLargeOrders } from './large-orders.ts';
import { startMeddling } from './meddling.ts';
import type { RoundPlan } from './round-plan.ts';
import type { RoundResult } from './round-result.ts';
import type { Subject } from './subject.ts';

export type RoundReport = {
  result: Omit<RoundResult, 'commit'>;
  /** All that is wrong, in words. */
  problems: string[];
};

const warmUpOrders = 5;
const keylessEvery = 5;
const drainSecondsMax = 120;

/**
 * Strikes a running system as planned while orders come, lets it come to rest, and counts what
 * became of the orders.
 */
export async function runRound(
  plan: RoundPlan,
  subject: Subject,
  orders: readonly NewOrder[],
  onFault: (inflicted: Inflicted, load: OrderLoad) => void,
): Promise<RoundReport> {
  const [url = ''] = subject.urls;
  const watch = startOrderWatch(url);
  const load = startLoad(plan, subject, orders);
  const meddling = startMeddling(subject, load, plan.honoursKeys);
  try {
    const faults: Inflicted[] = [];
    const begun = performance.now();
    await untilAccepted(load, warmUpOrders);
    const foreign = await produceForeignOrders(subject.env.KAFKA_BOOTSTRAP_SERVERS);
    await strike(plan, subject, (inflicted) => {
      faults.push(inflicted);
      onFault(inflicted, load);
    });
    await Promise.all([...subject.victims.values()].map((victim) => victim.untilReady()));
    // Placed after the last fault, so that its time to recover can be told.
    await untilAccepted(load, load.accepted.length + warmUpOrders);
    const seconds = (performance.now() - begun) / 1000;
    await Promise.all([load.stop(), meddling.stop()]);
    const stopped = performance.now();
    const besides = { foreign, cancelled: meddling.cancelled };
    const all = await drain(url, subject.providerUrl, besides);
    const drainSeconds = (performance.now() - stopped) / 1000;
    await watch.stop();
    const ledger = await readLedger(subject.providerUrl);
    const found = reconcile(load.sent, all, ledger, besides);
    const refused = load.sent
      .filter(({ key, orderId }) => key !== undefined && orderId === undefined)
      .map(({ mark, answers }) => `${mark}: never accepted, answered ${answers.join(', ')}`);
    const busy = faults.flatMap(({ fault, cpu }) => busyOnes(fault.kind, cpu));
    const otherwise = [
      ...found.orphans,
      ...watch.stepsBack,
      ...refused,
      ...meddling.problems,
      ...busy,
    ];
    const audit = await runAudit(plan.mode, subject, foreign);
    const result: RoundReport['result'] = {
      ...drawnOf(plan),
      cancelled: all.filter(({ status }) => status === 'Cancelled').length,
      ...meddling.done,
      at: new Date().toISOString(),
      seconds: tenths(seconds),
      drainSeconds: tenths(drainSeconds),
      sent: load.sent.length,
      accepted: load.accepted.length,
      orders: all.length,
      lost: found.lost.length,
      doubled: found.doubled.length,
      stuck: found.stuck.length,
      otherwise: otherwise.length,
      audit,
      faults: attribute(faults, load.sent, all, found),
    };
    const audited = audit === 'clean' ? [] : audit;
    const problems = Object.entries({ ...found, orphans: [], otherwise, audit: audited }).flatMap(
      ([kind, lines]) => lines.map((line) => `${kind}: ${line}`),
    );
    return { result, problems };
  } finally {
    await Promise.all([load.stop(), watch.stop(), meddling.stop()]);
  }
}

/** Each seed has orders of its own. */
function startLoad(
  { seed, ordersPerSecond: perSecond }: RoundPlan,
  { urls: url }: Subject,
  all: readonly NewOrder[],
): OrderLoad {
  const from = seed % all.length;
  const orders = withLargeOrders([...all.slice(from), ...all.slice(0, from)]);
  const name = `chaos ${seed}`;
  return startOrderLoad({ url, orders, perSecond, name, keylessEvery, retrySeconds: 90 });
}

const drawnOf = ({ background: _, blows: __, settleSeconds: ___, ...drawn }: RoundPlan) => drawn;

async function strike(
  plan: RoundPlan,
  subject: Subject,
  note: (inflicted: Inflicted) => void,
): Promise<void> {
  const background = Promise.all(
    plan.background.map((fault) => inflict(fault, subject).then(note)),
  );
  // Its failure must not go unheard while the others strike.
  const failure = background.then(
    () => new Promise<never>(() => undefined),
    (error: unknown) => Promise.reject(error),
  );
  for (const { gapMs, faults } of plan.blows) {
    const blow = async () => {
      await elapse(gapMs);
      await Promise.all(
        faults.map(async ({ afterMs, fault }) => {
          await elapse(afterMs);
          note(await inflict(fault, subject));
        }),
      );
    };
    await Promise.race([blow(), failure]);
  }
  await background;
}

async function untilAccepted(load: OrderLoad, count: number): Promise<void> {
  await until(`${count} accepted orders`, 60, () => load.accepted.length >= count);
}

/**
 * Waits until every order is where it must be, and gives all orders then; after the bound, as they
 * are.
 */
async function drain(
  url: string,
  providerUrl: string,
  { foreign, cancelled }: Required<Besides>,
): Promise<OrderListEntry[]> {
  let all: OrderListEntry[] = [];
  const end = performance.now() + drainSecondsMax * 1000;
  while (performance.now() < end) {
    all = await readOrders(url);
    const isAtRest = ({ orderId, status }: OrderListEntry): boolean =>
      status === 'Shipped' || (status === 'Cancelled' && cancelled.has(orderId));
    const ledger = await readLedger(providerUrl);
    if (all.every(isAtRest) && foreign.every((id) => ledger.has(id))) break;
    await elapse(300);
  }
  return all;
}

const tenths = (value: number): number => Math.round(value * 10) / 10;
