import { createHash } from 'node:crypto';
import type { NewShipment } from '@orders/contracts/shipping';

/** A character that no name and no product id contains. */
const separator = '\u001f';

/**
 * SHA-256 of what is shipped to whom: customer id, name, then product id and quantity of each item.
 * The audit makes the same of an order and of its fulfillment.
 */
export function contentHashOf({ recipient, items }: NewShipment): string {
  const parts = [recipient.customerId, recipient.name];
  for (const { productId, quantity } of items) parts.push(productId, String(quantity));
  return createHash('sha256').update(parts.join(separator)).digest('hex');
}
