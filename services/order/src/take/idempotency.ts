import { hash } from 'node:crypto';
import type { NewOrder } from '@orders/contracts/orders/api';

/** An Idempotency-Key as the caller sent it, within the scope of the caller. */
export type IdempotencyKey = { scope: string; key: string };

/**
 * A fingerprint of an order's content as validated: the same for bodies that differ only in white
 * space, the order of properties or the spelling of numbers.
 */
export function contentHash({ customerId, customerName, currency, items }: NewOrder): string {
  const lines = items.map(({ productId, quantity, unitPrice }) => [
    productId,
    quantity,
    unitPrice ?? null,
  ]);
  return hash(
    'sha256',
    JSON.stringify([customerId, customerName, currency ?? null, lines]),
    'base64url',
  );
}

/**
 * Lists of keyed orders are sorted by this, so that two instances never wait for each other's keys
 * crosswise.
 */
export function compareKeys(a: IdempotencyKey, b: IdempotencyKey): number {
  if (a.scope !== b.scope) return a.scope < b.scope ? -1 : 1;
  return a.key === b.key ? 0 : a.key < b.key ? -1 : 1;
}
