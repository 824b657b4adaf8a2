import { randomUUID } from 'node:crypto';
import { type OrderCreated, orderEventsTopic } from '@orders/contracts/orders/events';
import { produce, takeAnyTimestamp } from '../kit/kafka-records.ts';

/** Times of records as foreign producers set them: none, long ago, micro- and nanoseconds. */
const oddTimestamps = (now: bigint): bigint[] => [
  0n,
  1n,
  now / 1_000n,
  now * 1_000n,
  now * 1_000_000n,
];

/**
 * Writes orders that the Order Service does not know, each with an odd time of its record, and
 * gives their ids; none without Kafka.
 */
export async function produceForeignOrders(
  bootstrapServers: string | undefined,
): Promise<string[]> {
  if (bootstrapServers === undefined) return [];
  await takeAnyTimestamp(bootstrapServers, orderEventsTopic);
  const ids: string[] = [];
  for (const timestamp of oddTimestamps(BigInt(Date.now()))) {
    const orderId = randomUUID();
    const event: OrderCreated = {
      eventType: 'OrderCreated',
      orderId,
      customer: { customerId: 'foreign', name: `timestamp ${timestamp}` },
      items: [{ productId: 'product-456', quantity: 1 }],
      createdAt: new Date().toISOString(),
    };
    const value = Buffer.from(JSON.stringify(event));
    await produce(bootstrapServers, orderEventsTopic, [{ key: orderId, value, timestamp }]);
    ids.push(orderId);
  }
  return ids;
}
