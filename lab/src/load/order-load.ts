import { setTimeout as delay, setInterval as ticks } from 'node:timers/promises';
import type { NewOrder } from '@orders/contracts/orders/api';
import { post } from '../kit/orders.ts';

/**
 * One order of a load and what became of it. `mark` is its customerName: it tells which request an
 * order belongs to.
 */
export type SentOrder = {
  mark: string;
  key: string | undefined;
  /** Status of every answer; 0 where there was none. */
  answers: number[];
  /** Set by a 201. */
  orderId: string | undefined;
  /** Of the answer that accepted it. */
  ms: number;
};

/** One answer to one request of a load, or its failure (status 0), as it comes. */
export type SeenAnswer = { url: string; status: number; ms: number; sentAt: number };

export type OrderLoad = {
  readonly sent: SentOrder[];
  readonly accepted: SentOrder[];
  /** Sends nothing new and waits until every order has its verdict, or its retries are used up. */
  stop(): Promise<void>;
};

const tickMs = 20;
/**
 * More unanswered requests than this would say nothing new about the system, only about the
 * machine.
 */
const inFlightMax = 200;
const retryEveryMs = 100;

/**
 * Posts orders at a steady rate, whatever the system does. An order with an Idempotency-Key is sent
 * again, with the same key, until it is accepted, for at most `retrySeconds`; one without is sent
 * once, and where no 201 came back its fate is unknown to the sender. Of several URLs the orders
 * take turns, and what has failed at one is tried at the next. `sentAt` is Date.now() of a request.
 */
export function startOrderLoad(options: {
  url: string | readonly string[];
  orders: readonly NewOrder[];
  perSecond: number;
  name: string;
  /** Every n-th order has no key; by default every order has one. */
  keylessEvery?: number;
  retrySeconds?: number;
  onAnswer?: (answer: SeenAnswer) => void;
}): OrderLoad {
  const { url, orders, perSecond, name, keylessEvery = 0, retrySeconds = 60, onAnswer } = options;
  const urls = typeof url === 'string' ? [url] : url;
  const sent: SentOrder[] = [];
  const inFlight = new Set<Promise<void>>();
  const stopping = new AbortController();
  const sendNext = () => {
    const n = sent.length;
    const key = keylessEvery > 0 && n % keylessEvery === 0 ? undefined : `${name}-${n}`;
    const order: SentOrder = { mark: `${name} ${n}`, key, answers: [], orderId: undefined, ms: 0 };
    sent.push(order);
    const body = { ...(orders[n % orders.length] as NewOrder), customerName: order.mark };
    const turns = { urls, first: n, retrySeconds, ...(onAnswer && { onAnswer }) };
    const sending = send(turns, body, order).finally(() => inFlight.delete(sending));
    inFlight.add(sending);
  };
  const running = pace(perSecond, () => inFlight.size < inFlightMax, sendNext, stopping.signal);
  return {
    sent,
    get accepted() {
      return sent.filter(({ orderId }) => orderId !== undefined);
    },
    async stop() {
      stopping.abort();
      await running;
      await Promise.all(inFlight);
    },
  };
}

async function pace(
  perSecond: number,
  may: () => boolean,
  act: () => void,
  signal: AbortSignal,
): Promise<void> {
  let due = 0;
  let last = performance.now();
  try {
    for await (const _ of ticks(tickMs, undefined, { signal })) {
      const now = performance.now();
      due = Math.min(due + ((now - last) * perSecond) / 1000, inFlightMax);
      last = now;
      for (; due >= 1 && may(); due -= 1) act();
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

type Turns = {
  urls: readonly string[];
  first: number;
  retrySeconds: number;
  onAnswer?: (answer: SeenAnswer) => void;
};

async function send(
  { urls, first, retrySeconds, onAnswer }: Turns,
  body: NewOrder,
  order: SentOrder,
): Promise<void> {
  const end = performance.now() + retrySeconds * 1000;
  const headers = order.key === undefined ? {} : { 'idempotency-key': order.key };
  for (let turn = first; ; turn += 1) {
    const url = urls[turn % urls.length] ?? '';
    const [begun, sentAt] = [performance.now(), Date.now()];
    const answer = await post(url, body, headers).catch(noAnswer);
    const status = answer?.status ?? 0;
    order.answers.push(status);
    onAnswer?.({ url, status, ms: performance.now() - begun, sentAt });
    if (answer?.status === 201) {
      order.orderId = answer.body.orderId;
      order.ms = answer.ms;
    }
    const isOver = status === 201 || order.key === undefined || performance.now() > end;
    if (isOver) return;
    await delay(retryEveryMs);
  }
}

/**
 * A lost connection is a part of what is examined; a broken promise of the contract (an
 * AssertionError of `call`) is not.
 */
function noAnswer(error: unknown): undefined {
  if (error instanceof Error && error.name === 'AssertionError') throw error;
  return undefined;
}

/**
 * The time in milliseconds within which the given share (0 to 1) of these, accepted orders say,
 * were done.
 */
export function percentile(orders: readonly { ms: number }[], share: number): number {
  const sorted = orders.map(({ ms }) => ms).sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
