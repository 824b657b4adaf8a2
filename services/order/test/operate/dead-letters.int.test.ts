import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHttpServer } from '@orders/platform/http/server';
import { createOutboxStore } from '@orders/platform/messaging/outbox-store';
import { addDeadLetterRoutes } from '@orders/platform/operate/dead-letter-routes';
import { createMetrics } from '@orders/platform/process/metrics';
import { silentLog, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createOrderMetrics } from '../../src/metrics.ts';
import {
  createFulfillmentEventHandler,
  createFulfillmentEventReader,
} from '../../src/show/on-fulfillment-event.ts';
import { fulfillmentEvent } from '../fulfillment-events.ts';
import { newOrder, orderTables, trace } from '../order-instance.ts';

const postgres = await startTestPostgres();

const shipped = (orderId: string) =>
  fulfillmentEvent(orderId, 2, 'Shipped', { trackingNumber: 'T-1' });

test('A dead letter that can be read by now shows its order as Shipped when it is replayed, once', async (t) => {
  const { connect, sql, instanceOf } = await orderTables(t, postgres);
  const { place, store } = instanceOf('a');
  const { orderId } = await place(newOrder(), trace);
  const metrics = createOrderMetrics(
    createMetrics('a'),
    createOutboxStore(connect('metrics'), 'a'),
  );
  const handle = createFulfillmentEventHandler({ store, metrics, log: silentLog });
  const station = { topic: 'fulfillment-events', read: createFulfillmentEventReader(), handle };
  const app = createHttpServer({ log: silentLog });
  t.after(() => app.close());
  addDeadLetterRoutes(app, { database: connect('routes'), station });
  await sql(
    `INSERT INTO dead_letters (topic, partition, "offset", key, value, headers, reason)
     VALUES (
       'fulfillment-events', 3, 9007199254740993, 'k', $1, '{"h":"1"}',
       'an older version could not read it')`,
    [Buffer.from(JSON.stringify(shipped(orderId)))],
  );
  const replay = async () => {
    const url = '/api/dead-letters/fulfillment-events:3:9007199254740993/replay';
    const answer = await app.inject({ method: 'POST', url, headers: { 'x-operator': 'ada' } });
    return { status: answer.statusCode, body: JSON.parse(answer.body) };
  };
  const { status, body } = await replay();
  assert.deepEqual(
    [status, body.resolution?.kind, body.resolution?.operator],
    [200, 'replayed', 'ada'],
    JSON.stringify(body),
  );
  const [order] = await sql<{ status: string; fulfillment: { source: object } }>(
    'SELECT status, fulfillment FROM orders',
  );
  assert.equal(order?.status, 'Shipped');
  assert.deepEqual(order.fulfillment.source, {
    topic: 'fulfillment-events',
    partition: 3,
    offset: '9007199254740993',
  });
  assert.deepEqual((await replay()).status, 409);
  assert.equal((await sql('SELECT * FROM operator_actions')).length, 1);
});
