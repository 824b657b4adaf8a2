import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import type { NewOrder } from '@orders/contracts/orders/api';

type SourceOrder = {
  customerId: string | null;
  items: { productId: string; quantity: number; unitPrice: number }[];
};

/** Above this an order is 60 KB and more: a few of them would decide how fast a load is. */
const itemsMax = 200;

/**
 * Valid orders of a real shop for a load, at most `limit`: of the file that REAL_ORDERS names
 * (.ndjson or .ndjson.gz), else of the samples.
 */
export async function readRealOrders(limit = 2_000): Promise<NewOrder[]> {
  const file =
    process.env.REAL_ORDERS ?? join(import.meta.dirname, '../../../samples/online-retail.ndjson');
  const source = createReadStream(file);
  const input = file.endsWith('.gz') ? source.pipe(createGunzip()) : source;
  const found: NewOrder[] = [];
  for await (const line of createInterface({ input })) {
    const order = line === '' ? undefined : toNewOrder(JSON.parse(line) as SourceOrder);
    if (order !== undefined) found.push(order);
    if (found.length === limit) break;
  }
  source.destroy();
  if (found.length === 0) throw new Error(`${file} has no valid order`);
  return found;
}

/**
 * The order as the API takes it; undefined for what the API refuses: cancellations, write-offs,
 * orders without a customer.
 */
function toNewOrder({ customerId, items }: SourceOrder): NewOrder | undefined {
  if (customerId === null || items.length === 0 || items.length > itemsMax) return undefined;
  if (
    items.some(({ quantity, unitPrice }) => quantity < 1 || quantity > 1_000_000 || unitPrice < 0)
  )
    return undefined;
  if (
    items.some(
      ({ productId, unitPrice }) =>
        productId.trim() === '' || !/^\d+(\.\d{1,4})?$/.test(String(unitPrice)),
    )
  )
    return undefined;
  const lines = items.map(({ productId, quantity, unitPrice }) => ({
    productId,
    quantity,
    unitPrice,
  }));
  return { customerId, customerName: `Customer ${customerId}`, currency: 'GBP', items: lines };
}
