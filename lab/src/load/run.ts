import { performance } from 'node:perf_hooks';
import { Agent, type Dispatcher, request } from 'undici';
import { type ProgressOutput, startProgress } from '../kit/progress.ts';
import { type Followed, followOrders } from './follow-orders.ts';
import { postOrders } from './post-orders.ts';
import {
  openOrders,
  type RecordedOrders,
  ReplayError,
  type ReplayedOrder,
} from './recorded-orders.ts';
import { isComplete, reportOf } from './report.ts';
import { createTally, endsOf, type Tally } from './tally.ts';

export type ReplayOptions = {
  file: string;
  /** Without a slash at its end. */
  url: string;
  /** Orders per second; undefined: the next order follows an answer. */
  rate: number | undefined;
  /** Orders in flight at once. */
  concurrency: number;
  /** Only so many orders of the file. */
  limit: number;
  /** How long the accepted orders are followed. */
  waitSeconds: number;
  out: ProgressOutput;
  /** Ends the run early, with its report. */
  signal: AbortSignal;
};

type Run = ReplayOptions & { dispatcher: Dispatcher };

/** The first answer may take as long as a service that is just starting needs. */
const reachMs = 10_000;
/** The instances of the service may differ a little in their clocks. */
const clockMarginMs = 5_000;

/**
 * Posts the orders of a file, follows the accepted ones to their end and writes the closing table.
 * Resolves to false when an order got no verdict, was lost, or is still open. Throws ReplayError
 * for an unreadable file or an address where nobody answers.
 */
export async function replay(options: ReplayOptions): Promise<boolean> {
  const recorded = await openOrders(options.file);
  const dispatcher = new Agent({ connections: options.concurrency, pipelining: 1 });
  const run = { ...options, dispatcher };
  try {
    const createdFrom = await reach(run);
    const tally = createTally();
    const start = performance.now();
    // A file may turn out unreadable in its middle: what was posted until then is reported all the
    // same.
    const unreadable = await post(recorded, tally, run).then(() => undefined, onlyReplayError);
    const postingSeconds = (performance.now() - start) / 1000;
    const { statuses, problem } = await follow(tally, createdFrom, run);
    const ends = endsOf(tally.accepted, statuses);
    run.out.write(`\n${reportOf(tally, ends, postingSeconds)}\n`);
    if (problem !== undefined) run.out.write(`The last look at the orders failed: ${problem}\n`);
    if (unreadable !== undefined) throw unreadable;
    return isComplete(tally, ends) && !run.signal.aborted;
  } finally {
    recorded.close();
    await dispatcher.destroy();
  }
}

async function post(recorded: RecordedOrders, tally: Tally, run: Run): Promise<void> {
  const runId = crypto.randomUUID().slice(0, 8);
  const start = performance.now();
  const progress = startProgress(run.out, () => {
    const perSecond = tally.posted / Math.max(0.001, (performance.now() - start) / 1000);
    return {
      share: Number.isFinite(run.limit) ? tally.posted / run.limit : recorded.shareRead(),
      text: `${tally.posted} posted, ${tally.accepted.size} accepted, ${perSecond.toFixed(0)} orders/s`,
    };
  });
  try {
    await postOrders(
      firstOf(recorded.orders, run.limit),
      { ...run, runId },
      tally.record,
      tally.recordOther,
    );
  } finally {
    progress.close();
  }
}

async function follow(tally: Tally, createdFrom: string, run: Run): Promise<Followed> {
  const orderIds = new Set(tally.accepted.keys());
  let finals = 0;
  const progress = startProgress(run.out, () => {
    const text = `${finals} of ${orderIds.size} accepted orders have reached their end`;
    return { share: orderIds.size === 0 ? 1 : finals / orderIds.size, text };
  });
  try {
    return await followOrders(
      orderIds,
      { ...run, createdFrom, waitMs: run.waitSeconds * 1000 },
      (count) => {
        finals = count;
      },
    );
  } finally {
    progress.close();
  }
}

/**
 * Resolves to a time (ISO 8601) of the service's own clock, before which this run has created
 * nothing.
 */
async function reach({ url, dispatcher }: Run): Promise<string> {
  try {
    const { headers, body } = await request(`${url}/health/live`, {
      dispatcher,
      signal: AbortSignal.timeout(reachMs),
    });
    await body.dump();
    const date = Date.parse(String(headers.date));
    return new Date((Number.isNaN(date) ? Date.now() : date) - clockMarginMs).toISOString();
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new ReplayError(
      `Nobody answers at ${url}${why}.\nStart the system in another terminal with "npm start", or give its address with --url.`,
    );
  }
}

async function* firstOf(
  orders: AsyncIterable<ReplayedOrder>,
  limit: number,
): AsyncGenerator<ReplayedOrder> {
  let count = 0;
  for await (const order of orders) {
    yield order;
    count += 1;
    if (count >= limit) return;
  }
}

function onlyReplayError(error: unknown): ReplayError {
  if (error instanceof ReplayError) return error;
  throw error;
}
