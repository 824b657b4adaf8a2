import { anOrder } from '@orders/lab/kit/orders';

/**
 * A body of POST /api/orders that must be refused: where its faults are, or only the code where it
 * is no JSON.
 */
export type BadBody = { name: string; body: string | Buffer; code: string; pointers?: string[] };

const good = anOrder();
const goodItem = { productId: 'product-456', quantity: 2, unitPrice: 19.99 };

const faulty = (name: string, body: unknown, ...pointers: string[]): BadBody => ({
  name,
  body: JSON.stringify(body),
  code: 'validation_failed',
  pointers,
});
const order = (name: string, over: object, ...pointers: string[]) =>
  faulty(name, { ...good, ...over }, ...pointers);
const item = (name: string, over: object, member: string) =>
  order(name, { items: [goodItem, { ...goodItem, ...over }] }, `/items/1/${member}`);
/** The good order with one piece of its text replaced: for what JSON.stringify cannot write. */
const text = (
  name: string,
  from: string,
  to: string,
  code: string,
  ...pointers: string[]
): BadBody => {
  const body = JSON.stringify(good).replace(from, () => to);
  return { name, body, code, ...(pointers.length > 0 && { pointers }) };
};

const missing = ['customerId', 'customerName', 'items'].map((name) =>
  order(`no ${name}`, { [name]: undefined }, `/${name}`),
);
const texts = [
  ['empty', ''],
  ['only white space', ' \t\n'],
  ['only wide white space', '\u3000\u00a0'],
  ['a number', 1],
  ['null', null],
  ['an array', ['x']],
  ['with NUL in it', 'a\u0000b'],
  ['longer than any limit', 'x'.repeat(201)],
].flatMap(([name, value]) => [
  order(`customerId ${name}`, { customerId: value }, '/customerId'),
  order(`customerName ${name}`, { customerName: value }, '/customerName'),
  item(`productId ${name}`, { productId: value }, 'productId'),
]);
const numbers = [
  ...[0, -1, 1.5, 1_000_001, '2', true, null, [1], 1e308].map((quantity) =>
    item(`quantity ${JSON.stringify(quantity)}`, { quantity }, 'quantity'),
  ),
  ...[-0.01, 1_000_000_000.0001, 0.00001, 19.99999, 1e-7, '19.99', false].map((unitPrice) =>
    item(`unitPrice ${JSON.stringify(unitPrice)}`, { unitPrice }, 'unitPrice'),
  ),
  text(
    'quantity 1e400',
    '"quantity":2',
    '"quantity":1e400',
    'validation_failed',
    '/items/0/quantity',
  ),
];
const shapes = [
  order('129 code points', { customerId: '😀'.repeat(129) }, '/customerId'),
  order('no items', { items: [] }, '/items'),
  order('1001 items', { items: Array(1_001).fill(goodItem) }, '/items'),
  order('items as an object', { items: { 0: goodItem } }, '/items'),
  order('an item that is text', { items: ['p'] }, '/items/0'),
  order('an item that is null', { items: [null] }, '/items/0'),
  item('no productId', { productId: undefined }, 'productId'),
  item('no quantity', { quantity: undefined }, 'quantity'),
  item('an unknown property of an item', { colour: 'red' }, 'colour'),
  order('an unknown property', { surprise: 1 }, '/surprise'),
  order('an unknown property whose name needs escapes', { 'a/b~c': 1 }, '/a~1b~0c'),
  ...['eur', 'EURO', 'E1R', '', 978].map((currency) =>
    order(`currency ${JSON.stringify(currency)}`, { currency }, '/currency'),
  ),
  ...[[good], null, 'order', 42, true].map((body) =>
    faulty(`a body that is ${JSON.stringify(body).slice(0, 12)}`, body, ''),
  ),
  text('a lone surrogate', 'Jane Roe', 'x\\ud800y', 'validation_failed', '/customerName'),
  text(
    'a __proto__ property',
    '{',
    '{"__proto__":{"polluted":true},',
    'validation_failed',
    '/__proto__',
  ),
  text(
    'a constructor property',
    '{',
    '{"constructor":{"prototype":{}},',
    'validation_failed',
    '/constructor',
  ),
  text(
    'a __proto__ property of an item',
    '{"productId"',
    '{"__proto__":{},"productId"',
    'validation_failed',
    '/items/0/__proto__',
  ),
  faulty(
    'many faults at once',
    {
      customerName: ' ',
      currency: 'x',
      items: [{ productId: 'p', quantity: 0 }, { quantity: 1, unitPrice: -1 }, 7],
      surprise: 1,
    },
    '/customerId',
    '/customerName',
    '/currency',
    '/items/0/quantity',
    '/items/1/productId',
    '/items/1/unitPrice',
    '/items/2',
    '/surprise',
  ),
];
const noJson: BadBody[] = [
  ...[
    '',
    ' ',
    '{"customerId":',
    '{}{}',
    "{'a':1}",
    `${JSON.stringify(good)},`,
    'NaN',
    '\uFEFF',
    '{"a":01}',
    '{"a":"\t"}',
  ].map((body) => ({
    name: `the body ${JSON.stringify(body.slice(-14))}`,
    body,
    code: 'invalid_json',
  })),
  {
    name: 'bytes that are not UTF-8',
    body: Buffer.from(JSON.stringify(good).replace('Jane', 'J\xe4ne'), 'latin1'),
    code: 'invalid_json',
  },
  { name: 'UTF-16', body: Buffer.from(JSON.stringify(good), 'utf16le'), code: 'invalid_json' },
  { name: '500,000 open brackets', body: '['.repeat(500_000), code: 'invalid_json' },
];
const deep: BadBody[] = [
  {
    name: '100,000 levels of arrays',
    body: `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    code: 'validation_failed',
  },
  text(
    '100,000 levels in an item',
    '"product-456"',
    `${'['.repeat(100_000)}${']'.repeat(100_000)}`,
    'validation_failed',
    '/items/0/productId',
  ),
  text(
    '60,000 levels of objects',
    '"customer-123"',
    `${'{"a":'.repeat(60_000)}1${'}'.repeat(60_000)}`,
    'validation_failed',
    '/customerId',
  ),
];

export const badBodies: readonly BadBody[] = [
  ...missing,
  ...texts,
  ...numbers,
  ...shapes,
  ...noJson,
  ...deep,
];
