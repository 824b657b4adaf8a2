import { hash } from 'node:crypto';
import type { NewOrder } from '@orders/contracts/orders-api';
import { messageOf } from '@orders/platform/errors';
import type { Log } from '@orders/platform/log';
import type { OrderStore } from './order-store.ts';

/** An Idempotency-Key as the caller sent it, within the scope of the caller. */
export type IdempotencyKey = { scope: string; key: string };

/**
 * A fingerprint of an order's content as validated: the same for bodies that differ only in white space, the order of properties
 * or the spelling of numbers.
 */
export function contentHash({ customerId, customerName, currency, items }: NewOrder): string {
  const lines = items.map(({ productId, quantity, unitPrice }) => [productId, quantity, unitPrice ?? null]);
  return hash('sha256', JSON.stringify([customerId, customerName, currency ?? null, lines]), 'base64url');
}

/** Lists of keyed orders are sorted by this, so that two instances never wait for each other's keys crosswise. */
export function compareKeys(a: IdempotencyKey, b: IdempotencyKey): number {
  if (a.scope !== b.scope) return a.scope < b.scope ? -1 : 1;
  return a.key === b.key ? 0 : a.key < b.key ? -1 : 1;
}

const purgeEveryMs = 60_000;
const purgeMax = 10_000;
/** As many keys as the fastest service can take in a minute, or the table would grow for ever. */
const purgeRoundsMax = 50;

/** Deletes expired keys now and then, a bounded number at a time. A failure waits for the next turn. */
export function startKeyPurge(parts: { store: OrderStore; hours: number; log: Log }): { close(): void } {
  let isClosed = false;
  let isPurging = false;
  const purge = async (): Promise<void> => {
    if (isPurging) return;
    isPurging = true;
    try {
      for (let round = 0; round < purgeRoundsMax && !isClosed; round += 1) {
        if ((await parts.store.purgeKeys(parts.hours, purgeMax)) < purgeMax) return;
      }
    } catch (error) {
      parts.log.debug({ err: messageOf(error) }, 'expired idempotency keys not deleted');
    } finally {
      isPurging = false;
    }
  };
  const timer = setInterval(() => void purge(), purgeEveryMs);
  return {
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}
