import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import type { OrderStatus } from '@orders/contracts/orders/api';
import type { Dispatcher } from 'undici';
import { listOrders } from './list-orders.ts';

const finalStatuses: readonly string[] = ['Shipped', 'Failed', 'Cancelled'];
/** Between two looks; an order needs milliseconds, a backlog seconds. */
const pauseMs = 500;

export type FollowOptions = {
  url: string;
  dispatcher: Dispatcher;
  /** No order was created before (ISO 8601, the service's clock). */
  createdFrom: string;
  /** Gives up after this time. */
  waitMs: number;
  signal: AbortSignal;
};

/**
 * The last status seen of each order; an order that no page ever showed has none. `problem` is why
 * the last look failed.
 */
export type Followed = { statuses: Map<string, OrderStatus>; problem: string | undefined };

/**
 * Looks at the orders until each is final, or the time is up. A look is a walk over the pages of
 * the list, no further back than the oldest order that is still open. A look that fails is repeated
 * until the time is up.
 */
export async function followOrders(
  orderIds: ReadonlySet<string>,
  options: FollowOptions,
  onLook: (finalCount: number) => void,
): Promise<Followed> {
  const statuses = new Map<string, OrderStatus>();
  const deadline = performance.now() + options.waitMs;
  const open = new Set(orderIds);
  let { createdFrom } = options;
  let problem: string | undefined;
  while (open.size > 0 && !options.signal.aborted) {
    try {
      createdFrom = await look(createdFrom);
      problem = undefined;
    } catch (error) {
      problem = error instanceof Error ? error.message : String(error);
    }
    onLook(orderIds.size - open.size);
    if (open.size === 0 || performance.now() >= deadline) break;
    await delay(pauseMs);
  }
  return { statuses, problem };

  /** One walk; returns how far back the next one must go. */
  async function look(from: string): Promise<string> {
    let oldestOpen = from;
    let seen = 0;
    for await (const { orderId, status, createdAt } of listOrders(options, from)) {
      if (!open.has(orderId)) continue;
      statuses.set(orderId, status);
      if (finalStatuses.includes(status)) open.delete(orderId);
      else {
        oldestOpen = createdAt; // the list runs from new to old
        seen += 1;
      }
    }
    // What was accepted and is not listed may be anywhere: keep looking from the beginning.
    return seen === open.size ? oldestOpen : from;
  }
}
