import type { OrderListEntry } from '@orders/contracts/orders/api';
import { readRecords } from './kafka-records.ts';

/** When an order was accepted, and how long after it the Fulfillment Service had filed it. */
export type Pickup = { orderId: string; createdAt: number; ms: number };

/**
 * Reads from the topic of the fulfillment events when each of these orders was filed first; what
 * was never filed is missing.
 */
export async function readPickups(
  bootstrapServers: string,
  topic: string,
  orders: readonly OrderListEntry[],
): Promise<Pickup[]> {
  const filedAt = new Map<string, number>();
  for (const { value } of await readRecords(bootstrapServers, topic)) {
    const { eventType, orderId, occurredAt } = JSON.parse(String(value)) as Record<string, string>;
    if (eventType !== 'FulfillmentStarted' || orderId === undefined) continue;
    const at = Date.parse(String(occurredAt));
    filedAt.set(orderId, Math.min(at, filedAt.get(orderId) ?? at));
  }
  return orders.flatMap(({ orderId, createdAt }) => {
    const [at, from] = [filedAt.get(orderId), Date.parse(createdAt)];
    return at === undefined ? [] : [{ orderId, createdAt: from, ms: at - from }];
  });
}
