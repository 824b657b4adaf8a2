import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { newOrder } from '../order-instance.ts';
import { runningService } from '../running-service.ts';

const postgres = await startTestPostgres();

test('null for an optional property of an order is absent, also for its Idempotency-Key', async (t) => {
  const { ask } = await runningService(t, postgres);
  const item = { productId: 'p', quantity: 1 };
  const absent = { customerId: 'c', customerName: 'A Name', items: [item] };
  const asNull = { ...absent, currency: null, items: [{ ...item, unitPrice: null }] };
  const key = { 'idempotency-key': 'null-is-absent' };
  const first = await ask<{ orderId: string }>('POST', '', asNull, key);
  assert.equal(first.status, 201, first.text);
  const again = await ask<{ orderId: string }>('POST', '', absent, key);
  assert.deepEqual([again.status, again.body], [201, first.body], 'the content is the same');
  assert.equal(again.headers.get('idempotent-replayed'), 'true');
  const shown = await ask('GET', `/${first.body.orderId}`);
  assert.partialDeepStrictEqual(shown.body, { currency: null, total: null, items: [item] });
  const required = await ask('POST', '', { ...absent, customerId: null });
  assert.equal(required.status, 400, 'a required property may not be null');
});

test('a price from binary arithmetic is refused with what to do about it', async (t) => {
  const { ask } = await runningService(t, postgres);
  const items = [{ productId: 'p', quantity: 1, unitPrice: 5.289999999999999 }];
  const { status, body } = await ask('POST', '', newOrder({ items }));
  assert.equal(status, 400);
  assert.deepEqual(body.errors, [
    {
      pointer: '/items/0/unitPrice',
      detail: 'must have at most 4 decimals: round it to 4 decimals before sending',
    },
  ]);
});

test('a time whose plus sign arrived as a blank, or that has no zone, is refused with a right one', async (t) => {
  const { ask } = await runningService(t, postgres);
  for (const given of [
    '2026-01-20T00:00:00+02:00',
    '2026-01-20',
    '2026-01-20T00:00:00',
    '2026-01-20T00:00:00+0200',
  ]) {
    const { status, body } = await ask('GET', `?createdFrom=${given}`);
    assert.equal(status, 400, given);
    assert.match(JSON.stringify(body.errors), /createdFrom.*2026-01-20T21:09:00Z.*%2B/, given);
  }
  const right = await ask('GET', '?createdFrom=2026-01-20T00:00:00%2B02:00');
  assert.equal(right.status, 200, right.text);
});
