import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createProjectionStore } from '../src/show/projection-store.ts';
import { createCancellationStore } from '../src/take/cancellation-store.ts';
import { createPublishFailedStore } from '../src/take/publish-failed-store.ts';
import { orderTables } from './order-instance.ts';

const postgres = await startTestPostgres();
const orderId = '01900000-0000-7000-8000-000000000001';
const eventId = '01900000-0000-7000-8000-000000000002';

test('updatedAt never goes back, whichever of two statements at once began first', async (t) => {
  const { connect, sql } = await orderTables(t, postgres);
  const database = connect('a');
  const publishFailed = createPublishFailedStore(database);
  const source = { topic: 'fulfillment-events', partition: 0, offset: 1n };
  const steps: [string, () => Promise<unknown>][] = [
    ['Pending', () => publishFailed.markPending([orderId])],
    ['published', () => publishFailed.clearPublishFailed([orderId])],
    [
      'asked to cancel',
      () =>
        createCancellationStore(database).request({
          ...{ orderId, requestedAt: new Date(), reason: null, instance: 'a', claimMs: null },
          event: {
            ...{ topic: 'order-events', key: orderId, sequence: 2, eventId, payload: '{}' },
            ...{ eventType: 'OrderCancellationRequested', correlationId: null, traceparent: null },
          },
        }),
    ],
    [
      'projected',
      () =>
        createProjectionStore(database).project(
          'fulfillment-events',
          [{ orderId, sequence: 1, status: 'Processing', fulfillment: {}, event: source } as never],
          [],
        ),
    ],
  ];
  // What another statement has written that began later and came to the row first.
  await sql(
    `INSERT INTO orders (order_id, customer_id, customer_name, items, item_count, created_at,
                         status, publish_failed, updated_at)
     VALUES ($1, 'c', 'n', '[]', 1, now(), 'Created', false, '2126-01-20T00:00:00Z')`,
    [orderId],
  );
  for (const [what, step] of steps) {
    await step();
    const [row] = await sql<{ year: number }>(
      'SELECT extract(year FROM updated_at)::int AS year FROM orders',
    );
    assert.equal(row?.year, 2126, what);
  }
  const [row] = await sql<{ status: string; asked: boolean }>(
    'SELECT status, cancel_requested_at IS NOT NULL AS asked FROM orders',
  );
  assert.deepEqual(row, { status: 'Processing', asked: true });
});
