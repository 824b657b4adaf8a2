import { setTimeout as delay } from 'node:timers/promises';
import { within } from '@orders/platform/process/deadline';
import { CodedError, messageOf } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import { createWakeableSleep } from '@orders/platform/process/wakeable-sleep';
import type { OrderChangesStore } from '../change-log.ts';
import type { OrderEntry, OrderQueries } from './order-queries.ts';

/**
 * Changes of other instances are read after this at the latest, own ones after `pauseMs`.
 */
const readEveryMs = 1_000;
const pauseMs = 50;
/** Orders read by one statement. */
const readMax = 500;
/** Waiting requests and streams together; beyond this the API answers 503. */
const followersMax = 1_000;
/** PostgreSQL must have answered the first read by then. */
const beginMs = 3_000;
/** Well below `changesKeptSeconds`: after a longer pause between two reads some may be missed. */
const gapMs = 30_000;
/** How long changes are kept. */
export const changesKeptSeconds = 120;

/** Receives the changes of one order, or of all orders if `orderId` is null. */
export type Follower = {
  orderId: string | null;
  /**
   * Receives a state of an order. A follower of one order receives its present state first. States
   * in between may be skipped, a state may come twice, an older one never follows a newer one.
   */
  notify(order: OrderEntry): void;
  /**
   * No more changes will come: the service closes, or changes of all orders may have been missed.
   */
  end(): void;
};

export type OrderChanges = {
  /**
   * Resolves when every change committed from now on will reach the follower; call the result to
   * stop. Rejects with CodedError: overloaded, store_unavailable.
   */
  follow(follower: Follower): Promise<() => void>;
  /** This instance has changed orders: read soon. Costs nothing while nobody follows. */
  ring(): void;
  /** Ends all followers. */
  close(): Promise<void>;
};

/**
 * Notifies followers of changes of orders, whichever instance makes them. While there are
 * followers, one loop reads which orders were changed since its last read, and then these orders.
 * It reads one batch after the other, so that no follower receives an older state after a newer
 * one.
 */
export function createOrderChanges(parts: {
  store: OrderChangesStore;
  queries: OrderQueries;
  log: Log;
}): OrderChanges {
  const { store, queries } = parts;
  const log = parts.log.child({ part: 'follow' });
  const stopping = new AbortController();
  const pause = createWakeableSleep(stopping.signal);
  const followers = new Set<Follower>();
  /** Orders whose new followers have yet to receive the present state. */
  let awaited = new Set<string>();
  let isRung = false;
  let following: { begun: Promise<void>; ended: Promise<void> } | undefined;

  function startLoop(): { begun: Promise<void>; ended: Promise<void> } {
    const begun = Promise.withResolvers<void>();
    return { begun: begun.promise, ended: readWhileFollowed(begun.resolve) };
  }

  async function readWhileFollowed(begun: () => void): Promise<void> {
    let last: { snapshot: string; atMs: number } | undefined;
    while (followers.size > 0) {
      try {
        last = await readChanges(last, begun);
      } catch (error) {
        log.debug({ err: messageOf(error) }, 'changes of orders not read');
      }
      await rest();
    }
    following = undefined;
    awaited = new Set();
  }

  /** Rejects when the store fails; the same changes are read again then. */
  async function readChanges(
    last: { snapshot: string; atMs: number } | undefined,
    begun: () => void,
  ) {
    const { orderIds, ...now } = await store.since(last?.snapshot ?? null);
    begun();
    const asked = awaited;
    awaited = new Set();
    try {
      const hasGap = last !== undefined && now.atMs - last.atMs > gapMs;
      if (hasGap) endThose(({ orderId }) => orderId === null);
      const followed = new Set([...followers].map(({ orderId }) => orderId));
      const changed = hasGap ? [...followed].filter((id) => id !== null) : orderIds;
      await notifyOf(
        [...new Set([...asked, ...changed])].filter((id) => followed.has(null) || followed.has(id)),
      );
    } catch (error) {
      awaited = awaited.union(asked);
      throw error;
    }
    return now;
  }

  async function notifyOf(orderIds: string[]): Promise<void> {
    for (let i = 0; i < orderIds.length; i += readMax) {
      const orders = await queries.some(orderIds.slice(i, i + readMax));
      const byId = new Map(orders.map((order) => [order.orderId, order]));
      for (const follower of followers) {
        const states = follower.orderId === null ? orders : [byId.get(follower.orderId)];
        for (const order of states) if (order !== undefined) follower.notify(order);
      }
    }
  }

  async function rest(): Promise<void> {
    if (followers.size === 0) return;
    await delay(pauseMs);
    if (!isRung) await pause.sleep(readEveryMs - pauseMs);
    isRung = false;
  }

  function endThose(which: (follower: Follower) => boolean): void {
    for (const follower of [...followers].filter(which)) {
      followers.delete(follower);
      follower.end();
    }
  }

  function ring(): void {
    if (followers.size === 0) return;
    isRung = true;
    pause.wake();
  }

  return {
    async follow(follower) {
      if (stopping.signal.aborted)
        throw new CodedError('overloaded', 'The service is closing; try again.');
      if (followers.size >= followersMax)
        throw new CodedError('overloaded', 'Too many requests wait for orders; try again.');
      followers.add(follower);
      if (follower.orderId !== null) awaited.add(follower.orderId);
      following ??= startLoop();
      ring();
      try {
        await within(beginMs, 'the first read', following.begun);
      } catch {
        followers.delete(follower);
        throw new CodedError('store_unavailable', 'The database cannot be reached now; try again.');
      }
      return () => void followers.delete(follower);
    },
    ring,
    async close() {
      stopping.abort();
      const { ended } = following ?? {};
      endThose(() => true);
      await ended;
    },
  };
}
