import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { test } from 'node:test';
import type { IncomingEvent } from '@orders/platform/messaging/broker';
import { createOutboxStore } from '@orders/platform/messaging/outbox-store';
import { createMetrics } from '@orders/platform/process/metrics';
import { anyEvent } from '@orders/platform/test/kit/any-event';
import { silentLog, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import fc from 'fast-check';
import { createOrderMetrics } from '../../src/metrics.ts';
import { createFulfillmentEventHandler } from '../../src/show/on-fulfillment-event.ts';
import { toPlacement } from '../../src/take/placement.ts';
import { newOrder, orderStores, orderTables, trace } from '../order-instance.ts';

const postgres = await startTestPostgres();

const retrying = (orderId: string, sequence: number, more: object = {}) => ({
  eventType: 'FulfillmentRetrying',
  schemaVersion: 1,
  eventId: randomUUIDv7(),
  orderId,
  sequence,
  occurredAt: '2026-01-20T21:09:00.000Z',
  metadata: { source: 'FulfillmentService', correlationId: 'c' },
  fulfillment: {
    status: 'Retrying',
    trackingNumber: null,
    carrier: null,
    shippedAt: null,
    errorMessage: 'away',
    attempts: 1,
    nextAttemptAt: '2026-01-20T21:09:00.000Z',
    failedAttempts: [
      { at: '2026-01-20T21:09:00.000Z', outcome: 'unknown', error: 'e', durationMs: 1 },
    ],
    publishedAt: '2026-01-20T21:09:00.000Z',
    startedAt: '2026-01-20T21:09:00.000Z',
  },
  ...more,
});

test('I11: whatever one fulfillment event is, it is shown, skipped or buried, and its neighbours are shown', async (t) => {
  const { connect, sql } = await orderTables(t, postgres);
  const database = connect('a');
  const store = orderStores(database);
  const metrics = createOrderMetrics(createMetrics('test'), createOutboxStore(database, 'a'));
  const handle = createFulfillmentEventHandler({ store, metrics, log: silentLog });
  const placed = Array.from({ length: 20 }, () => toPlacement(newOrder(), trace));
  await store.place(placed, { instance: 'a', claimMs: 10_000 });
  let turn = 0;
  const someOrder = () => placed[turn++ % placed.length]?.orderId ?? '';
  const [watched = ''] = placed.map(({ orderId }) => orderId);
  let sequence = 1_000_000;
  const shown = async () =>
    Number((await sql('SELECT sequence FROM orders WHERE order_id = $1', [watched]))[0]?.sequence);
  const ours = (): IncomingEvent => ({
    topic: 'fulfillment-events',
    partition: 3,
    offset: BigInt(sequence),
    key: watched,
    value: Buffer.from(JSON.stringify(retrying(watched, sequence, { metadata: null }))),
    headers: {},
    publishedAt: new Date(),
  });
  const any = anyEvent('fulfillment-events', () => retrying(someOrder(), 5));
  const batches = fc.array(any, { minLength: 1, maxLength: 12 });
  const property = fc.asyncProperty(batches, async (records) => {
    sequence += 1;
    const middle = Math.floor(records.length / 2);
    await handle([...records.slice(0, middle), ours(), ...records.slice(middle)]);
    assert.ok((await shown()) >= sequence);
  });
  await fc.assert(property, { numRuns: 120, endOnFailure: true });
  const [row] = await sql('SELECT count(*) AS n FROM dead_letters');
  t.diagnostic(`${row?.n} buried`);
  assert.ok(Number(row?.n) > 100);
});
