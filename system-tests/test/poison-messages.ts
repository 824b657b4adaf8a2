import { randomUUID } from 'node:crypto';

/**
 * An OrderCreated as the first published schema had it, from a producer that is not our Order
 * Service.
 */
export function minimalOrderCreated(orderId: string = randomUUID()) {
  return {
    eventType: 'OrderCreated',
    orderId,
    customer: { customerId: 'foreign-1', name: 'Foreign Customer' },
    items: [{ productId: 'product-456', quantity: 2 }],
    createdAt: new Date().toISOString(),
    metadata: { source: 'SomebodyElse' },
  };
}

const event = (over: object): Buffer =>
  Buffer.from(JSON.stringify({ ...minimalOrderCreated(), ...over }));

/** Ten values that no reader of order-events can take, and why not. */
export const poisonMessages: Record<string, () => Buffer> = {
  'text that is no JSON': () => Buffer.from('{"eventType": "OrderCreated", "orderId":'),
  'no bytes at all': () => Buffer.alloc(0),
  'bytes that are no UTF-8': () =>
    Buffer.concat([event({}).subarray(0, -2), Buffer.from([0xff, 0xfe, 0x22, 0x7d])]),
  'JSON that is no object': () => Buffer.from('42'),
  'no eventType': () => event({ eventType: undefined }),
  'no orderId': () => event({ orderId: undefined }),
  'an orderId that is no UUID': () => event({ orderId: 'order-42' }),
  'no items': () => event({ items: [] }),
  'a quantity that is text': () => event({ items: [{ productId: 'product-456', quantity: '2' }] }),
  'a time that is none': () => event({ createdAt: 'yesterday' }),
};

/** Events that are none of our business: to be skipped without a word. */
export const unknownEvents: (() => Buffer)[] = [
  () => event({ eventType: 'OrderArchived' }),
  () => Buffer.from('{"eventType":"SomethingElse","orderId":17}'),
];
