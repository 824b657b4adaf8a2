import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { test } from 'node:test';
import { anyEvent } from '@orders/platform/test/kit/any-event';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import fc from 'fast-check';
import {
  cancelRequested,
  fulfillmentTables,
  orderCreated,
  orderEvent,
} from '../fulfillment-instance.ts';

const postgres = await startTestPostgres();

const absent = [
  { metadata: null },
  { metadata: { source: null, correlationId: null } },
  { schemaVersion: null, eventId: null, sequence: null, currency: null },
  { items: [{ productId: 'p', quantity: 1, unitPrice: null }] },
];

for (const more of absent) {
  test(`an order with ${JSON.stringify(more)} is filed: null means absent`, async (t) => {
    const { instanceOf, stateOf } = await fulfillmentTables(t, postgres);
    const a = instanceOf('a', { providerUrl: 'http://127.0.0.1:1' });
    const body = orderCreated();
    await a.handle([orderEvent({ ...body, ...more })]);
    assert.equal(await stateOf(body.orderId), 'Processing');
    await a.handle([orderEvent(cancelRequested(body.orderId, { ...more, requestedAt: null }))]);
  });
}

test('I11: whatever one record is, it is filed, skipped or buried with its reason, and its neighbours are filed', async (t) => {
  const { instanceOf, stateOf, sql } = await fulfillmentTables(t, postgres);
  const a = instanceOf('a', { providerUrl: 'http://127.0.0.1:1' });
  const any = fc.oneof(
    anyEvent('order-events', () => orderCreated(randomUUIDv7(), { currency: 'EUR', sequence: 1 })),
    anyEvent('order-events', () => cancelRequested(randomUUIDv7(), { metadata: {} })),
  );
  const batches = fc.array(any, { minLength: 1, maxLength: 12 });
  const property = fc.asyncProperty(batches, async (records) => {
    const good = orderCreated();
    const middle = Math.floor(records.length / 2);
    await a.handle([...records.slice(0, middle), orderEvent(good), ...records.slice(middle)]);
    assert.equal(await stateOf(good.orderId), 'Processing');
  });
  await fc.assert(property, { numRuns: 120, endOnFailure: true });
  const counts = async (table: string) =>
    Number((await sql(`SELECT count(*) AS n FROM ${table}`))[0]?.n);
  const [filed, buried] = [await counts('fulfillments'), await counts('dead_letters')];
  t.diagnostic(`${filed} filed, ${buried} buried`);
  assert.ok(filed > 150 && buried > 100);
});
