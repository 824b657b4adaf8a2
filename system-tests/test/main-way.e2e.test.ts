import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { OrderView } from '@orders/contracts/orders/api';
import { call } from '@orders/lab/kit/http';
import { anOrder, place, post, readOrder, untilOrder } from '@orders/lab/kit/orders';
import { readLedger, readShipment } from '@orders/lab/kit/shipping-provider';
import { startSystem } from '@orders/lab/kit/started-system';

const run = promisify(execFile);
const system = await startSystem();
const { url } = system;
const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const moment = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

test('The start prints its address and a curl line that goes through and leads to Shipped', async () => {
  const text = system.program.lines.join('\n');
  const ready = system.program.lines.find((one) => one.includes('"ready"') && one.includes('curl'));
  for (const address of [`${url}/docs`, system.fulfillmentUrl, system.providerUrl])
    assert.ok(ready?.includes(address), `${address} is not named in:\n${text}`);
  // On a terminal it stands alone; elsewhere it is a field of the log line that says "ready".
  const line = system.program.lines
    .flatMap((one) => (one.startsWith('{') ? [JSON.parse(one).curl] : []))
    .find(Boolean);
  assert.ok(line, `no curl line in:\n${text}`);
  const { stdout } = await run('bash', ['-c', line], { timeout: 10_000 });
  const [answer] = /\{"orderId".*\}/.exec(stdout) ?? [];
  assert.ok(answer, stdout);
  const { orderId, status } = JSON.parse(answer) as { orderId: string; status: string };
  assert.match(orderId, uuid);
  assert.equal(status, 'Created');
  await untilOrder(url, orderId, 'Shipped');
});

test('An accepted order has a Location, ships, and GET shows everything the contract says', async () => {
  const order = anOrder();
  const accepted = await post(url, order);
  assert.equal(accepted.status, 201, accepted.text);
  assert.deepEqual(Object.keys(accepted.body).sort(), ['orderId', 'status']);
  assert.equal(accepted.body.status, 'Created');
  assert.match(accepted.body.orderId, uuid);
  assert.equal(accepted.headers.location, `/api/orders/${accepted.body.orderId}`);
  assert.match(String(accepted.headers['content-type']), /^application\/json/);

  const shown = await untilOrder(url, accepted.body.orderId, 'Shipped');
  const shipment = await readShipment(system.providerUrl, shown.orderId);
  const { createdAt, updatedAt, fulfillment } = shown;
  for (const at of [createdAt, updatedAt, fulfillment?.shippedAt]) assert.match(String(at), moment);
  assert.ok(
    createdAt <= updatedAt && Date.now() - Date.parse(createdAt) < 60_000,
    JSON.stringify(shown),
  );
  assert.deepEqual(shown, {
    orderId: accepted.body.orderId,
    status: 'Shipped',
    publishFailed: false,
    ...order,
    total: '39.98',
    createdAt,
    updatedAt,
    cancellation: null,
    fulfillment: {
      status: 'Shipped',
      trackingNumber: shipment.trackingNumber,
      carrier: shipment.carrier,
      shippedAt: fulfillment?.shippedAt,
      errorMessage: null,
      attempts: 1,
      nextAttemptAt: null,
    },
  } satisfies Partial<Record<keyof OrderView, unknown>>);
  assert.equal((await readLedger(system.providerUrl)).get(shown.orderId)?.bookings, 1);
});

test('The smallest order the contract allows ships; what was left out is null or missing', async () => {
  const smallest = { customerId: 'c', customerName: 'n', items: [{ productId: 'p', quantity: 1 }] };
  const shown = await untilOrder(url, await place(url, smallest), 'Shipped');
  assert.equal(shown.currency, null);
  assert.equal(shown.total, null);
  assert.deepEqual(shown.items, smallest.items);
});

test('The largest order the contract allows ships and is kept to the letter', async () => {
  const largest = anOrder({
    customerId: '😀'.repeat(128),
    customerName: 'ß'.repeat(200),
    items: Array.from({ length: 1_000 }, (_, n) => ({
      productId: `${n} ${'漢'.repeat(124)}`.slice(0, 128),
      quantity: 1_000_000,
      unitPrice: 999_999_999.9999,
    })),
  });
  const shown = await untilOrder(url, await place(url, largest), 'Shipped');
  assert.deepEqual(shown.items, largest.items);
  assert.equal(shown.customerId, largest.customerId);
  assert.equal(shown.total, '999999999999900000.00');
});

test('Text in any script, with quotes, SQL and HTML in it, is kept to the letter', async () => {
  const customerName = `Zoë 山田 عمر 👩🏽‍🚀 'OR 1=1;-- <script>"\\\n\t\u2028 {"a":[1,}`;
  const shown = await readOrder(
    url,
    await place(url, anOrder({ customerName, customerId: " a'b " })),
  );
  assert.equal(shown.customerName, customerName);
  assert.equal(shown.customerId, " a'b ");
});

test('Totals are exact: no binary rounding, at least two decimals, no further trailing zeros', async () => {
  const totals: [
    items: [quantity: number, unitPrice?: number | undefined][],
    total: string | null,
  ][] = [
    [
      [
        [1, 0.1],
        [1, 0.2],
      ],
      '0.30',
    ],
    [[[2, 19.9]], '39.80'],
    [[[3, 0.001]], '0.003'],
    [[[3, 1.005]], '3.015'],
    [[[1_000_000, 0.0001]], '100.00'],
    [
      [
        [7, 33333.3333],
        [1, 0.0001],
      ],
      '233333.3332',
    ],
    [
      [
        [1_000_000, 1_000_000_000],
        [1, 0.0001],
      ],
      '1000000000000000.0001',
    ],
    [[[5, 0]], '0.00'],
    [[[80_995, 2.08]], '168469.60'],
    [
      [
        [2, 19.99],
        [1, undefined],
      ],
      null,
    ],
  ];
  for (const [lines, total] of totals) {
    const items = lines.map(([quantity, unitPrice], n) => ({
      productId: `p${n}`,
      quantity,
      ...(unitPrice !== undefined && { unitPrice }),
    }));
    const shown = await readOrder(url, await place(url, anOrder({ items })));
    assert.equal(shown.total, total, JSON.stringify(lines));
    assert.deepEqual(shown.items, items);
  }
});

test('An id that is not there is 404, an id that is no UUID is 400, an id in capitals is the same id', async () => {
  const missing = await call('GET', `${url}/api/orders/0190c8a0-0000-7000-8000-000000000000`);
  assert.deepEqual([missing.status, missing.body.code], [404, 'order_not_found']);
  const wrong = await call('GET', `${url}/api/orders/42`);
  assert.deepEqual([wrong.status, wrong.body.code], [400, 'validation_failed']);
  const orderId = await place(url, anOrder());
  assert.equal((await readOrder(url, orderId.toUpperCase())).orderId, orderId);
});
