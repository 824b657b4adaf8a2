import assert from 'node:assert/strict';
import { test } from 'node:test';
import { NewOrder } from '@orders/contracts/orders/api';
import fc from 'fast-check';
import { createValidator } from '../../src/process/validator.ts';

const validator = createValidator(NewOrder);
const item = { productId: 'p', quantity: 1, unitPrice: 1 };
const order = (more: object = {}) => ({
  customerId: 'c',
  customerName: 'n',
  items: [item],
  ...more,
});
const pointers = (value: unknown): string[] =>
  validator.faults(value).map(({ pointer }) => pointer);
const text = (length: number, character = 'x') => character.repeat(length);

const good: [string, unknown][] = [
  [
    'the smallest order',
    { customerId: 'c', customerName: 'n', items: [{ productId: 'p', quantity: 1 }] },
  ],
  [
    'a price of 0 and -0',
    order({
      items: [
        { ...item, unitPrice: 0 },
        { ...item, unitPrice: -0 },
      ],
    }),
  ],
  [
    'the greatest quantity and price',
    order({ items: [{ ...item, quantity: 1_000_000, unitPrice: 1_000_000_000 }] }),
  ],
  ['a price with 4 decimals', order({ items: [{ ...item, unitPrice: 999_999_999.9999 }] })],
  ['a price in exponent form', order({ items: [{ ...item, unitPrice: 1e-4 }] })],
  [
    '128 and 200 code points outside the BMP',
    order({ customerId: text(128, '😀'), customerName: text(200, '😀') }),
  ],
  ['a currency', order({ currency: 'EUR' })],
  ['1,000 items', order({ items: Array(1_000).fill(item) })],
  [
    'null for every optional property',
    order({ currency: null, items: [{ ...item, unitPrice: null }] }),
  ],
];

for (const [name, value] of good) {
  test(`an order is accepted with ${name}`, () => {
    assert.deepEqual(validator.faults(value), []);
    assert.ok(validator.accepts(value));
  });
}

const bad: [string, unknown, string][] = [
  ['no object', null, ''],
  ['an array', [], ''],
  ['an empty customer id', order({ customerId: '' }), '/customerId'],
  ['only white space', order({ customerName: ' \t\n\u00a0\u2003' }), '/customerName'],
  ['129 code points', order({ customerId: text(129, '😀') }), '/customerId'],
  ['201 code points', order({ customerName: text(201) }), '/customerName'],
  ['a NUL', order({ customerName: 'a\u0000b' }), '/customerName'],
  ['null for a required property', order({ customerId: null }), '/customerId'],
  ['a lone high surrogate', order({ customerName: 'a\ud800b' }), '/customerName'],
  [
    'a lone low surrogate',
    order({ items: [{ ...item, productId: '\udfff' }] }),
    '/items/0/productId',
  ],
  ['no items', order({ items: [] }), '/items'],
  ['1,001 items', order({ items: Array(1_001).fill(item) }), '/items'],
  ['a missing item list', { customerId: 'c', customerName: 'n' }, '/items'],
  ['a quantity of 0', order({ items: [{ ...item, quantity: 0 }] }), '/items/0/quantity'],
  [
    'a quantity above a million',
    order({ items: [{ ...item, quantity: 1_000_001 }] }),
    '/items/0/quantity',
  ],
  ['a broken quantity', order({ items: [{ ...item, quantity: 1.5 }] }), '/items/0/quantity'],
  ['a quantity as text', order({ items: [{ ...item, quantity: '1' }] }), '/items/0/quantity'],
  ['a negative price', order({ items: [{ ...item, unitPrice: -0.01 }] }), '/items/0/unitPrice'],
  [
    'a price above 10^9',
    order({ items: [{ ...item, unitPrice: 1_000_000_001 }] }),
    '/items/0/unitPrice',
  ],
  [
    'a price of 1e400',
    JSON.parse(
      '{"customerId":"c","customerName":"n","items":[{"productId":"p","quantity":1,"unitPrice":1e400}]}',
    ),
    '/items/0/unitPrice',
  ],
  [
    'a price with 5 decimals',
    order({ items: [{ ...item, unitPrice: 0.00001 }] }),
    '/items/0/unitPrice',
  ],
  ['a lower-case currency', order({ currency: 'eur' }), '/currency'],
  ['a currency with a line break', order({ currency: 'EUR\n' }), '/currency'],
  ['an unknown property', order({ 'a/b~c': 1 }), '/a~1b~0c'],
  [
    'an own __proto__',
    JSON.parse(
      '{"customerId":"c","customerName":"n","items":[{"productId":"p","quantity":1}],"__proto__":{}}',
    ),
    '/__proto__',
  ],
  [
    'a __proto__ that brings the properties',
    JSON.parse(
      '{"__proto__":{"customerId":"c"},"customerName":"n","items":[{"productId":"p","quantity":1}]}',
    ),
    '/customerId',
  ],
  [
    'an unknown property of an item',
    order({ items: [{ ...item, constructor: 1 }] }),
    '/items/0/constructor',
  ],
];

for (const [name, value, pointer] of bad) {
  test(`an order is refused with ${name}, at ${pointer || 'the root'}`, () => {
    assert.equal(validator.accepts(value), false);
    assert.ok(pointers(value).includes(pointer), JSON.stringify(validator.faults(value)));
  });
}

test('a price is accepted exactly when its shortest decimal form has at most 4 decimals', () => {
  const price = fc
    .tuple(
      fc.integer({ min: 0, max: 999_999_999 }),
      fc.integer({ min: 0, max: 8 }),
      fc.nat(99_999_999),
    )
    .map(
      ([whole, decimals, fraction]) =>
        `${whole}.${String(fraction).padStart(8, '0').slice(0, decimals)}`,
    );
  fc.assert(
    fc.property(price, (written) => {
      const unitPrice = Number(written);
      assert.equal(
        validator.accepts(order({ items: [{ ...item, unitPrice }] })),
        decimalsOf(unitPrice) <= 4,
        written,
      );
    }),
    { numRuns: 2_000 },
  );
});

test('every price written with up to 4 decimals is accepted, with a fifth digit refused', () => {
  const digits = fc.tuple(
    fc.integer({ min: 0, max: 99_999_999 }),
    fc.integer({ min: 0, max: 9_999 }),
    fc.integer({ min: 1, max: 9 }),
  );
  fc.assert(
    fc.property(digits, ([whole, fraction, fifth]) => {
      const four = `${whole}.${String(fraction).padStart(4, '0')}`;
      assert.ok(validator.accepts(order({ items: [{ ...item, unitPrice: Number(four) }] })), four);
      const five = `${four}${fifth}`;
      assert.ok(!validator.accepts(order({ items: [{ ...item, unitPrice: Number(five) }] })), five);
    }),
    { numRuns: 3_000 },
  );
});

/**
 * Decimals of the shortest form, by trying: the smallest k for which k decimals name the same
 * float.
 */
function decimalsOf(value: number): number {
  for (let k = 0; k < 20; k += 1) if (Number(value.toFixed(k)) === value) return k;
  return 20;
}

test('every fault is told at once, each with its pointer', () => {
  const value = {
    customerId: '',
    extra: 1,
    items: [
      { quantity: 0, unitPrice: 0.00001 },
      { productId: 'p', quantity: 1, x: 1 },
    ],
  };
  assert.deepEqual(
    new Set(pointers(value)),
    new Set([
      '/customerId',
      '/customerName',
      '/extra',
      '/items/0/productId',
      '/items/0/quantity',
      '/items/0/unitPrice',
      '/items/1/x',
    ]),
  );
});

const mebibyte = (part: string, open: string, close: string): string =>
  open +
  Array(Math.floor((1024 * 1024 - open.length - close.length) / (part.length + 1)))
    .fill(part)
    .join(',') +
  close;
const numbered = (count: number): string =>
  `{${Array.from({ length: count }, (_, i) => `"k${i}":0`).join(',')}}`;

const junk: [string, string][] = [
  ['an array of empty objects', mebibyte('{}', '{"items":[', ']}')],
  ['an array of numbers', mebibyte('0', '{"items":[', ']}')],
  ['100,000 unknown properties', numbered(100_000)],
  ['an item with 100,000 unknown properties', `{"items":[${numbered(100_000)}]}`],
  [
    '1,000 items with 100 unknown properties each',
    `{"items":[${Array(1_000).fill(numbered(100)).join(',')}]}`,
  ],
  ['deep arrays', `{"items":${'['.repeat(500_000)}${']'.repeat(500_000)}}`],
  ['deep objects', `${'{"items":'.repeat(100_000)}0${'}'.repeat(100_000)}`],
  ['white space', `{"customerId":"${' '.repeat(1_000_000)}"}`],
  ['one long text', `{"customerName":"${'x'.repeat(1_000_000)}"}`],
];

for (const [name, body] of junk) {
  test(`1 MiB of junk, ${name}, is refused with at most 100 faults within 300 ms`, () => {
    const value: unknown = JSON.parse(body);
    validator.faults(null);
    // The better of three: the machine may be busy with something else.
    let best = Number.POSITIVE_INFINITY;
    for (let round = 0; round < 3; round += 1) {
      const began = performance.now();
      assert.equal(validator.accepts(value), false);
      const faults = validator.faults(value);
      best = Math.min(best, performance.now() - began);
      assert.ok(faults.length >= 1 && faults.length <= 100);
    }
    assert.ok(best < 300, `took ${best} ms`);
  });
}
