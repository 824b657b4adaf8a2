import { setInterval as ticks } from 'node:timers/promises';
import type { OrderListEntry, OrderPage, OrderStatus } from '@orders/contracts/orders/api';
import { call } from './http.ts';

export type OrderWatch = {
  /** Each step back that was seen, in words; empty when the contract was kept. */
  readonly stepsBack: string[];
  /** How many orders were looked at. */
  readonly seen: number;
  stop(): Promise<void>;
};

const everyMs = 150;

/** How far on its way an order with this status is; Retrying lasts until the next outcome. */
const progress: Record<OrderStatus, number> = {
  Created: 0,
  Pending: 1,
  Processing: 2,
  Retrying: 3,
  Shipped: 4,
  Failed: 4,
  Cancelled: 4,
};

/**
 * Looks at the newest 200 orders again and again, as a client would, and notes whatever goes back.
 * No answer is no news.
 */
export function startOrderWatch(url: string): OrderWatch {
  const stopping = new AbortController();
  const steps = createStepCheck();
  const running = look(url, steps.see, stopping.signal);
  return {
    stepsBack: steps.stepsBack,
    get seen() {
      return steps.orders.size;
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

/** Compares what is seen of each order with what was seen of it before. */
export function createStepCheck() {
  const orders = new Map<string, OrderListEntry>();
  const stepsBack: string[] = [];
  const see = (now: OrderListEntry) => {
    const before = orders.get(now.orderId);
    if (before !== undefined) stepsBack.push(...stepsBetween(before, now));
    orders.set(now.orderId, now);
  };
  return { orders, stepsBack, see };
}

function stepsBetween(before: OrderListEntry, now: OrderListEntry): string[] {
  const steps: string[] = [];
  const changed = before.status !== now.status;
  if (changed && progress[now.status] <= progress[before.status])
    steps.push(`${before.status} -> ${now.status}`);
  const attempts = [before.fulfillment?.attempts ?? 0, now.fulfillment?.attempts ?? 0] as const;
  if (attempts[1] < attempts[0]) steps.push(`attempts ${attempts[0]} -> ${attempts[1]}`);
  if (before.fulfillment !== null && now.fulfillment === null)
    steps.push('fulfillment became null');
  if (now.updatedAt < before.updatedAt)
    steps.push(`updatedAt ${before.updatedAt} -> ${now.updatedAt}`);
  return steps.map((step) => `${now.orderId}: ${step}`);
}

async function look(
  url: string,
  see: (order: OrderListEntry) => void,
  signal: AbortSignal,
): Promise<void> {
  try {
    for await (const _ of ticks(everyMs, undefined, { signal })) {
      const answer = await call<OrderPage>('GET', `${url}/api/orders?limit=200`, {
        timeoutMs: 3_000,
      }).catch(() => undefined);
      if (answer?.status === 200) for (const order of answer.body.items) see(order);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
