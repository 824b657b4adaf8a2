import { setTimeout as delay } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { listOrders } from '../load/list-orders.ts';
import { runLoad, type ServerProcess, startServer } from './children.ts';
import { percentileOf } from './statistics.ts';

/** Moments of a run: orders created and shipped so far, by seconds since its start. */
export type Moment = { seconds: number; created: number; shipped: number };

export type Burst = {
  orders: number;
  /** From the first post to the last order shipped. */
  seconds: number;
  perSecond: number;
  moments: Moment[];
};

/** Created → shipped of each order, in milliseconds, ascending, and the latency of the posts. */
export type Paced = {
  rate: number;
  ms: number[];
  p50: number;
  p99: number;
  max: number;
  postP99: number;
};

/** An order that has not shipped by then is not going to. */
const shippedWithinMs = 180_000;
const lookMs = 100;

/**
 * Posts `count` orders as fast as they are taken and waits until all are shipped, by the service's
 * own counters, which must stand still before. Throws when they are not shipped within three
 * minutes of the last post.
 */
export async function measureBurst(
  server: ServerProcess,
  load: { bodies: string[]; connections: number },
  count: number,
  onLook: (moment: Moment) => void = () => undefined,
): Promise<Burst> {
  const before = await readCounters(server.url);
  let start = performance.now();
  let postedAt: number | undefined;
  let failure: unknown;
  const job = {
    shape: 'count' as const,
    count,
    load: { ...load, url: `${server.url}/api/orders` },
  };
  runLoad(job, () => {
    start = performance.now();
  }).then(
    () => {
      postedAt = performance.now();
    },
    (error: unknown) => {
      failure = error;
    },
  );
  const moments: Moment[] = [];
  let moment: Moment = { seconds: 0, created: 0, shipped: 0 };
  while (moment.shipped < count) {
    await delay(lookMs);
    if (failure !== undefined) throw failure;
    const { created, shipped } = await readCounters(server.url);
    const seconds = (performance.now() - start) / 1000;
    moment = { seconds, created: created - before.created, shipped: shipped - before.shipped };
    moments.push(moment);
    onLook(moment);
    if (postedAt !== undefined && performance.now() - postedAt > shippedWithinMs) {
      throw new Error(
        `Only ${moment.shipped} of ${count} orders were shipped within ${shippedWithinMs / 1000} s.`,
      );
    }
  }
  return { orders: count, seconds: moment.seconds, perSecond: count / moment.seconds, moments };
}

async function readCounters(url: string): Promise<{ created: number; shipped: number }> {
  const { body } = await request(`${url}/metrics`, { headersTimeout: 30_000 });
  const text = await body.text();
  return {
    created: sumOf(text, 'orders_created_total'),
    shipped: sumOf(text, 'order_created_to_shipped_seconds_count'),
  };
}

/** The sum over all labels of a metric in Prometheus' text format; 0 where it is missing. */
export function sumOf(text: string, name: string): number {
  const samples = text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)`, 'gm'));
  return [...samples].reduce((sum, [, value]) => sum + Number(value), 0);
}

/**
 * Posts at a steady rate and reads from the list how long each order took from `createdAt` to the
 * `updatedAt` of its shipping. Both are the service's own times in milliseconds, so this is exact
 * where looking for the status from outside would be coarse.
 */
export async function measurePaced(
  server: ServerProcess,
  load: { bodies: string[]; connections: number },
  options: { rate: number; seconds: number },
): Promise<Paced> {
  const createdFrom = new Date().toISOString();
  const { rate } = options;
  const count = rate * options.seconds;
  const { latency, accepted } = await runLoad({
    shape: 'rate',
    rate,
    count,
    load: { ...load, url: `${server.url}/api/orders` },
  });
  if (accepted < count)
    throw new Error(`Only ${accepted} of ${count} orders were accepted at ${rate} per second.`);
  const ms = await readJourneys(server.url, createdFrom, count);
  return {
    rate,
    ms,
    p50: percentileOf(ms, 50),
    p99: percentileOf(ms, 99),
    max: ms.at(-1) ?? 0,
    postP99: latency.p99,
  };
}

async function readJourneys(url: string, createdFrom: string, count: number): Promise<number[]> {
  const dispatcher = new Agent({ connections: 1 });
  const signal = AbortSignal.timeout(shippedWithinMs);
  try {
    for (;;) {
      const ms: number[] = [];
      for await (const { status, createdAt, updatedAt } of listOrders(
        { url, dispatcher, signal },
        createdFrom,
      )) {
        if (status === 'Shipped') ms.push(Date.parse(updatedAt) - Date.parse(createdAt));
      }
      if (ms.length >= count) return ms.sort((a, b) => a - b);
      await delay(lookMs, undefined, { signal });
    }
  } finally {
    await dispatcher.destroy();
  }
}

/**
 * Starts the whole system, runs `measure` on it after a warm-up of `warmupCount` orders, and stops
 * it.
 */
export async function withWholeSystem<T>(
  options: { bodies: string[]; connections: number; warmupCount: number },
  measure: (server: ServerProcess) => Promise<T>,
): Promise<T> {
  const server = await startServer('serve-whole-system.ts');
  try {
    await measureBurst(server, options, options.warmupCount);
    return await measure(server);
  } finally {
    await server.stop();
  }
}
