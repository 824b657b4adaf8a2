import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, request } from 'undici';
import { type Answer, reasonOf, verdictOf } from './answers.ts';
import type { ReplayedOrder } from './recorded-orders.ts';

/**
 * Eleven pauses sum up to about half a minute: a service that restarts is waited for, one that is
 * gone is not.
 */
const triesMax = 12;
const backoffMs = 100;
const backoffMaxMs = 5_000;
/** An answer that takes longer counts as lost; the idempotency key makes asking again safe. */
const answerMs = 30_000;

export type PostOptions = {
  url: string;
  dispatcher: Dispatcher;
  /** Distinguishes this run's idempotency keys from those of another run with the same file. */
  runId: string;
  /** Orders in flight at once. */
  concurrency: number;
  /**
   * Orders per second, whatever the answers (open loop); undefined: the next one as soon as one is
   * answered.
   */
  rate: number | undefined;
  /** Stops posting; what is in flight is given up. */
  signal: AbortSignal;
};

/**
 * What happened to one order. `ms` counts from when it was due (open loop) or first sent, so it
 * includes every retry.
 */
export type Posted = { order: ReplayedOrder; ms: number } & (
  | { verdict: 'accepted'; orderId: string }
  | { verdict: 'refused'; reason: string }
  | { verdict: 'none'; reason: string }
);

/**
 * Posts each order until it has a verdict, or its tries are used up. `onPosted` hears of every
 * order once, `onOther` of every answer that is neither 201 nor 400 and of every answer that did
 * not come. Throws what reading the orders throws, after all that was in flight has ended.
 */
export async function postOrders(
  orders: AsyncIterable<ReplayedOrder>,
  options: PostOptions,
  onPosted: (posted: Posted) => void,
  onOther: (kind: string) => void,
): Promise<void> {
  const { concurrency, rate, signal } = options;
  let inFlight = 0;
  let wake = (): void => undefined;
  const oneEnds = () => new Promise<void>((resolve) => (wake = resolve));
  const start = performance.now();
  let count = 0;
  const post = async (order: ReplayedOrder, due: number): Promise<void> => {
    inFlight += 1;
    const answer = await postUntilVerdict(order, options, onOther);
    onPosted({ order, ms: performance.now() - due, ...answer });
    inFlight -= 1;
    wake();
  };
  try {
    for await (const order of orders) {
      const due = rate === undefined ? undefined : start + (count * 1000) / rate;
      if (due !== undefined) await waitUntil(due, signal);
      while (inFlight >= concurrency) await oneEnds();
      if (signal.aborted) return;
      count += 1;
      void post(order, due ?? performance.now());
    }
  } finally {
    while (inFlight > 0) await oneEnds();
  }
}

async function waitUntil(due: number, signal: AbortSignal): Promise<void> {
  const aheadMs = due - performance.now();
  if (aheadMs >= 1) await pause(aheadMs, signal);
}

async function postUntilVerdict(
  order: ReplayedOrder,
  options: PostOptions,
  onOther: (kind: string) => void,
) {
  let reason = 'was not sent';
  for (let tries = 1; tries <= triesMax && !options.signal.aborted; tries += 1) {
    const answer = await postOnce(order, options);
    if (answer.status !== 201 && answer.status !== 400) onOther(reasonOf(answer));
    const verdict = verdictOf(answer);
    if (verdict !== 'again') return verdict;
    reason = `${reasonOf(answer)}, ${tries} tries`;
    const backoff =
      Math.min(backoffMaxMs, backoffMs * 2 ** (tries - 1)) * (0.5 + Math.random() / 2);
    const asked = Math.min(backoffMaxMs, (answer.retryAfterSeconds ?? 0) * 1000);
    if (tries < triesMax) await pause(Math.max(backoff, asked), options.signal);
  }
  return { verdict: 'none' as const, reason };
}

async function postOnce(
  order: ReplayedOrder,
  { url, dispatcher, runId, signal }: PostOptions,
): Promise<Answer> {
  try {
    const { statusCode, headers, body } = await request(`${url}/api/orders`, {
      method: 'POST',
      dispatcher,
      // The line and not the invoice alone: a file may hold an invoice twice, and both are orders
      // of their own.
      headers: {
        'content-type': 'application/json',
        'idempotency-key': `replay-${runId}-${order.line}`,
      },
      body: order.body,
      signal: AbortSignal.any([signal, AbortSignal.timeout(answerMs)]),
    });
    const text = await body.text();
    const retryAfter = Number(headers['retry-after']);
    return {
      status: statusCode,
      text,
      retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : undefined,
    };
  } catch (error) {
    return { status: undefined, text: '', error, retryAfterSeconds: undefined };
  }
}

/** Resolves after the time, or at once when the signal is given. */
async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
