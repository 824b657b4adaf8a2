import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NewOrder, type OrderItem } from '@orders/contracts/orders/api';
import { OrderCreated } from '@orders/contracts/orders/events';
import { createValidator } from '@orders/platform/process/validator';
import fc from 'fast-check';
import { createdAtOf, firstIdAt, newestPerOrder, totalOf } from '../src/order.ts';
import { contentHash } from '../src/take/idempotency.ts';
import { toPlacement } from '../src/take/placement.ts';

const trace = { correlationId: 'c-1', traceparent: null };

/** The oracle: adds the prices as they are written, digit by digit, and never as floats. */
function totalByText(items: { quantity: number; price: string }[]): string {
  const sum = items.reduce((all, { quantity, price }) => {
    const [whole = '0', fraction = ''] = price.split('.');
    return all + BigInt(whole + fraction.padEnd(4, '0')) * BigInt(quantity);
  }, 0n);
  const text = sum.toString().padStart(5, '0');
  const [whole, four] = [text.slice(0, -4), text.slice(-4)];
  const decimals = four.endsWith('00')
    ? four.slice(0, 2)
    : four.endsWith('0')
      ? four.slice(0, 3)
      : four;
  return `${whole}.${decimals}`;
}

const written = fc
  .tuple(
    fc.integer({ min: 0, max: 999_999_999 }),
    fc.integer({ min: 0, max: 9_999 }),
    fc.integer({ min: 0, max: 4 }),
  )
  .map(
    ([whole, fraction, decimals]) =>
      `${whole}.${String(fraction).padStart(4, '0').slice(0, decimals)}`,
  );
const smallPrice = fc.constantFrom(
  '0.001',
  '19.99',
  '0.29',
  '4.35',
  '1.005',
  '0.0001',
  '0',
  '2.675',
  '8165.5',
);
const line = fc.record({
  quantity: fc.oneof(fc.integer({ min: 1, max: 1_000_000 }), fc.constantFrom(1, 12, 80_995)),
  price: fc.oneof(written, smallPrice),
});

test('a total is exact to the last digit, whatever binary floats make of it', () => {
  const property = fc.property(fc.array(line, { minLength: 1, maxLength: 600 }), (lines) => {
    const items = lines.map(({ quantity, price }) => ({
      productId: 'p',
      quantity,
      unitPrice: Number(price),
    }));
    assert.equal(totalOf(items), totalByText(lines));
  });
  fc.assert(property, { numRuns: 500 });
});

const totals: [string, OrderItem[], string | null][] = [
  ['two lines', [line2(2, 19.99), line2(1, 0.01)], '39.99'],
  ['a trailing zero beyond two decimals', [line2(1, 39.8)], '39.80'],
  ['nothing to pay', [line2(3, 0), line2(1, -0)], '0.00'],
  ['a tenth of a cent', [line2(3, 0.001)], '0.003'],
  ['four decimals', [line2(1, 0.0001)], '0.0001'],
  [
    'the greatest order',
    Array(1_000).fill(line2(1_000_000, 1_000_000_000)),
    '1000000000000000000.00',
  ],
  [
    'the greatest with decimals',
    Array(1_000).fill(line2(1_000_000, 999_999_999.9999)),
    '999999999999900000.00',
  ],
  ['a line without a price', [line2(1, 1), { productId: 'p', quantity: 1 }], null],
];

function line2(quantity: number, unitPrice: number): OrderItem {
  return { productId: 'p', quantity, unitPrice };
}

for (const [name, items, total] of totals) {
  test(`the total of ${name} is ${total}`, () => assert.equal(totalOf(items), total));
}

const visible = fc.string({ unit: 'binary', minLength: 1, maxLength: 60 });
const newOrder: fc.Arbitrary<NewOrder> = fc
  .record(
    {
      customerId: visible,
      customerName: visible,
      currency: fc.constantFrom('EUR', 'GBP'),
      items: fc.array(
        fc.record(
          {
            productId: visible,
            quantity: fc.integer({ min: 1, max: 1_000_000 }),
            unitPrice: smallPrice.map(Number),
          },
          { requiredKeys: ['productId', 'quantity'] },
        ),
        { minLength: 1, maxLength: 5 },
      ),
    },
    { requiredKeys: ['customerId', 'customerName', 'items'] },
  )
  .filter((order) => isNewOrder.accepts(order));
const isNewOrder = createValidator(NewOrder);
const isOrderCreated = createValidator(OrderCreated);

test('what is placed is an OrderCreated by the schema, on one line, with the ids and the time of the row', () => {
  const property = fc.property(newOrder, (order) => {
    const placement = toPlacement(order, trace);
    const payload = placement.event.payload ?? '';
    assert.doesNotMatch(payload + placement.itemsJson, /\n/);
    const event: unknown = JSON.parse(payload);
    assert.deepEqual(isOrderCreated.faults(event), []);
    assert.deepEqual(event, {
      eventType: 'OrderCreated',
      schemaVersion: 1,
      eventId: placement.event.eventId,
      orderId: placement.orderId,
      sequence: 1,
      customer: { customerId: order.customerId, name: order.customerName },
      ...(order.currency !== undefined && { currency: order.currency }),
      items: JSON.parse(placement.itemsJson),
      createdAt: createdAtOf(placement.orderId).toISOString(),
      metadata: { source: 'OrderService', correlationId: 'c-1' },
    });
    assert.deepEqual(JSON.parse(placement.itemsJson), JSON.parse(JSON.stringify(order.items)));
    assert.ok(Math.abs(Date.now() - createdAtOf(placement.orderId).getTime()) < 1_000);
    assert.equal(placement.itemCount, order.items.length);
  });
  fc.assert(property, { numRuns: 500 });
});

test('the content of an order has one hash, however it was written', () => {
  const a = JSON.parse(
    '{"customerId":"c","customerName":"n","items":[{"productId":"p","quantity":1,"unitPrice":19.9}]}',
  );
  const b = JSON.parse(
    '{"items":[{"unitPrice":1.990e1,"quantity":1.0,"productId":"p"}],"customerName":"\\u006e","customerId":"c"}',
  );
  assert.equal(contentHash(a), contentHash(b));
  const others = [
    { customerId: 'd' },
    { customerName: 'm' },
    { currency: 'EUR' },
    { items: [...a.items, ...a.items] },
  ];
  const hashes = others.map((change) => contentHash({ ...a, ...change }));
  assert.equal(new Set([contentHash(a), ...hashes]).size, 5);
});

test('the first id of a millisecond bounds the ids of that millisecond from below and those before from above', () => {
  const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`));
  const property = fc.property(
    fc.integer({ min: 1, max: 253_402_300_799_999 }),
    hex(3),
    hex(3),
    hex(12),
    (at, a, b, c) => {
      const first = firstIdAt(new Date(at));
      const idOf = (ms: number) => {
        const time = ms.toString(16).padStart(12, '0');
        return `${time.slice(0, 8)}-${time.slice(8)}-7${a}-8${b}-${c}`;
      };
      assert.ok(first <= idOf(at));
      assert.ok(idOf(at - 1) < first);
      assert.equal(createdAtOf(first).getTime(), at);
    },
  );
  fc.assert(property);
  assert.equal(firstIdAt(new Date(-1)), '00000000-0000-0000-0000-000000000000');
});

test('fulfillment events that come twice, late and in any order end in the newest state', () => {
  const event = fc.record({
    orderId: fc.constantFrom('a', 'b', 'c'),
    sequence: fc.integer({ min: 1, max: 6 }),
  });
  const property = fc.property(
    fc.array(fc.array(event, { maxLength: 12 }), { maxLength: 8 }),
    (batches) => {
      const shown = new Map<string, number>();
      let went = 0;
      for (const batch of batches) {
        const newest = newestPerOrder(batch);
        assert.equal(
          new Set(newest.map(({ orderId }) => orderId)).size,
          newest.length,
          'one event an order',
        );
        assert.deepEqual(
          newest.map(({ orderId }) => orderId),
          newest.map(({ orderId }) => orderId).sort(),
        );
        for (const { orderId, sequence } of newest) {
          if ((shown.get(orderId) ?? 0) >= sequence) continue;
          shown.set(orderId, sequence);
          went += 1;
        }
      }
      const all = batches.flat();
      for (const orderId of new Set(all.map((e) => e.orderId))) {
        assert.equal(
          shown.get(orderId),
          Math.max(...all.filter((e) => e.orderId === orderId).map((e) => e.sequence)),
        );
      }
      assert.ok(went <= 18, 'a status never goes back');
    },
  );
  fc.assert(property, { numRuns: 1_000 });
});
