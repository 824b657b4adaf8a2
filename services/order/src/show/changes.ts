import { setTimeout as delay } from 'node:timers/promises';
import { within } from '@orders/platform/process/deadline';
import { CodedError, messageOf } from '@orders/platform/process/errors';
import type { Log } from '@orders/platform/process/log';
import { createWakeableSleep } from '@orders/platform/process/wakeable-sleep';
import type { OrderChangesStore } from '../change-log.ts';
import type { OrderEntry, OrderQueries } from './order-queries.ts';

/**
 * Changes made by other instances are seen after this at the latest; own ones at once, but for the
 * pause between two looks.
 */
const lookMs = 1_000;
const pauseMs = 50;
/** Orders read by one statement. */
const readMax = 500;
/** Those who wait and follow, all together; beyond this the API answers 503. */
const followersMax = 1_000;
/** PostgreSQL must have answered the first look by then. */
const beginMs = 3_000;
/**
 * Well below the time that changes are kept: who has not looked for so long may have missed some.
 */
const gapMs = 30_000;
/** How long changes are kept. */
export const changesKeptSeconds = 120;

/** Somebody who wants to know of one order, or of all where `orderId` is null. */
export type Follower = {
  orderId: string | null;
  /**
   * Of one order: its present state first, then each change, never older than what was told before;
   * states in between may be left out. May be told twice.
   */
  tell(order: OrderEntry): void;
  /**
   * Nothing more will be told: the service closes, or changes of all orders may have been missed.
   */
  end(): void;
};

export type OrderChanges = {
  /**
   * Resolves when every change committed from now on will be told; call the result to stop. Rejects
   * with CodedError: overloaded, store_unavailable.
   */
  watch(follower: Follower): Promise<() => void>;
  /** This instance has changed orders: look soon. Costs nothing while nobody watches. */
  ring(): void;
  /** Ends all followers. */
  close(): Promise<void>;
};

/**
 * Tells those who watch what happens to orders, whichever instance does it. One loop, only while
 * somebody watches, reads which orders were changed since its last look and then these orders; one
 * after the other, so that nobody is told an older state after a newer one.
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
  /** Orders whose followers have not been told their present state. */
  let fresh = new Set<string>();
  let isRung = false;
  let following: { begun: Promise<void>; ended: Promise<void> } | undefined;

  function follow(): { begun: Promise<void>; ended: Promise<void> } {
    const begun = Promise.withResolvers<void>();
    return { begun: begun.promise, ended: lookUntilAlone(begun.resolve) };
  }

  async function lookUntilAlone(begun: () => void): Promise<void> {
    let last: { snapshot: string; atMs: number } | undefined;
    while (followers.size > 0) {
      try {
        last = await look(last, begun);
      } catch (error) {
        log.debug({ err: messageOf(error) }, 'changes of orders not read');
      }
      await rest();
    }
    following = undefined;
    fresh = new Set();
  }

  /** Rejects when the store fails; the same changes are read again then. */
  async function look(last: { snapshot: string; atMs: number } | undefined, begun: () => void) {
    const { orderIds, ...now } = await store.since(last?.snapshot ?? null);
    begun();
    const asked = fresh;
    fresh = new Set();
    try {
      const hasGap = last !== undefined && now.atMs - last.atMs > gapMs;
      if (hasGap) endThose(({ orderId }) => orderId === null);
      const watched = new Set([...followers].map(({ orderId }) => orderId));
      const changed = hasGap ? [...watched].filter((id) => id !== null) : orderIds;
      await tellOf(
        [...new Set([...asked, ...changed])].filter((id) => watched.has(null) || watched.has(id)),
      );
    } catch (error) {
      fresh = fresh.union(asked);
      throw error;
    }
    return now;
  }

  async function tellOf(orderIds: string[]): Promise<void> {
    for (let i = 0; i < orderIds.length; i += readMax) {
      const orders = await queries.some(orderIds.slice(i, i + readMax));
      const byId = new Map(orders.map((order) => [order.orderId, order]));
      for (const follower of followers) {
        const told = follower.orderId === null ? orders : [byId.get(follower.orderId)];
        for (const order of told) if (order !== undefined) follower.tell(order);
      }
    }
  }

  async function rest(): Promise<void> {
    if (followers.size === 0) return;
    await delay(pauseMs);
    if (!isRung) await pause.sleep(lookMs - pauseMs);
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
    async watch(follower) {
      if (stopping.signal.aborted)
        throw new CodedError('overloaded', 'The service is closing; try again.');
      if (followers.size >= followersMax)
        throw new CodedError('overloaded', 'Too many wait for orders; try again.');
      followers.add(follower);
      if (follower.orderId !== null) fresh.add(follower.orderId);
      following ??= follow();
      ring();
      try {
        await within(beginMs, 'the first look', following.begun);
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
