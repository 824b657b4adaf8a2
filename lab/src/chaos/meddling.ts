import { setInterval as ticks } from 'node:timers/promises';
import type { FulfillmentPage, Verdict } from '@orders/contracts/fulfillments/api';
import { call } from '../kit/http.ts';
import { readLedger } from '../kit/shipping-provider.ts';
import type { OrderLoad } from '../load/order-load.ts';
import type { Subject } from './subject.ts';

/** Customers who cancel and operators who retry and give verdicts, beside the load. */
export type Meddling = {
  /** Orders whose cancellation was asked for. */
  readonly cancelled: ReadonlySet<string>;
  /** Answers that nobody should get, in words. */
  readonly problems: string[];
  /** Requests of each kind that were done. */
  readonly done: { cancels: number; retries: number; verdicts: number };
  stop(): Promise<void>;
};

const [cancelEveryMs, operateEveryMs, timeoutMs] = [200, 1_000, 8_000];
/** Of the accepted orders every so many is cancelled at once. */
const cancelledEvery = 20;
const operatedAtOnce = 4;
/** 0: no answer. 409: too late, in hand, or changed meanwhile. */
const expected = new Set([0, 200, 202, 409, 429, 503]);

export function startMeddling(
  { urls, fulfillmentUrls, providerUrl }: Subject,
  load: OrderLoad,
  honoursKeys: boolean,
): Meddling {
  const stopping = new AbortController();
  const cancelled = new Set<string>();
  const problems: string[] = [];
  const done = { cancels: 0, retries: 0, verdicts: 0 };
  const [headers, reason] = [{ 'x-operator': 'chaos' }, 'chaos'];
  let [seen, turn] = [0, 0];

  /** POST; counts what is carried out, and notes an answer that must not be. */
  async function ask(kind: keyof typeof done, url: string, json: object): Promise<void> {
    const answer = await call('POST', url, { json, headers, timeoutMs }).catch(() => undefined);
    const status = answer?.status ?? 0;
    if (status === 200 || status === 202) done[kind] += 1;
    if (!expected.has(status)) problems.push(`${url} answered ${status}: ${answer?.text}`);
  }

  async function cancelSome(): Promise<void> {
    const fresh = load.accepted.slice(seen);
    for (const [n, { orderId = '' }] of fresh.entries()) {
      if ((seen + n) % cancelledEvery !== 0) continue;
      cancelled.add(orderId);
      const url = urls[(seen + n) % urls.length] ?? '';
      await ask('cancels', `${url}/api/orders/${orderId}/cancel`, { reason });
    }
    seen += fresh.length;
  }

  async function operate(): Promise<void> {
    const url = fulfillmentUrls[turn++ % fulfillmentUrls.length] ?? '';
    const path = `${url}/api/fulfillments?state=Retrying&limit=${operatedAtOnce}`;
    const page = await call<FulfillmentPage>('GET', path, { timeoutMs }).catch(() => undefined);
    if (page?.status !== 200) return;
    for (const { orderId } of page.body.items) {
      if (turn++ % 2 === 0)
        await ask('retries', `${url}/api/fulfillments/retry`, { orderIds: [orderId], reason });
      else await giveVerdict(url, orderId);
    }
  }

  /**
   * What the operator knows comes from the ledger. What is not there may be on its way, which only
   * a provider that honours keys forgives, and no cancellation does.
   */
  async function giveVerdict(url: string, orderId: string): Promise<void> {
    const known = (await readLedger(providerUrl).catch(() => undefined))?.get(orderId);
    const trackingNumber = known?.trackingNumber ?? undefined;
    const verdict: Verdict['verdict'] = trackingNumber === undefined ? 'not_booked' : 'booked';
    if (verdict === 'not_booked' && (!honoursKeys || cancelled.has(orderId))) return;
    const json = { verdict, reason, ...(trackingNumber && { trackingNumber }) };
    await ask('verdicts', `${url}/api/fulfillments/${orderId}/verdict`, json);
  }

  const running = Promise.all([
    every(cancelEveryMs, cancelSome, stopping.signal),
    every(operateEveryMs, operate, stopping.signal),
  ]);
  return {
    cancelled,
    problems,
    done,
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function every(ms: number, act: () => Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of ticks(ms, undefined, { signal })) await act();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
