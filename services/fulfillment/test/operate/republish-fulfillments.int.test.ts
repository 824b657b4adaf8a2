import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { test } from 'node:test';
import type { FulfillmentEvent } from '@orders/contracts/fulfillments/events';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import { createFulfillmentRepublish } from '../../src/operate/republish-fulfillments.ts';
import { fulfillmentTables, orderCreated, orderEvent } from '../fulfillment-instance.ts';
import { scriptedProvider, shipment } from '../scripted-provider.ts';

const postgres = await startTestPostgres();
const request = { limit: 1_000, ratePerSecond: 1_000, dryRun: false, reason: 'the topic was lost' };

/**
 * Times of a row are those of the database, times of its event those of the service: equal but for
 * moments.
 */
function withoutMoments({ occurredAt, fulfillment, ...event }: FulfillmentEvent) {
  const { nextAttemptAt, startedAt, ...rest } = fulfillment;
  return { ...event, ...rest, hasNext: nextAttemptAt !== null, hasStart: startedAt !== undefined };
}

test('A fulfillment is told again by the event of its present state: same id, same sequence, same content', async (t) => {
  const { connect, sql, fake, instanceOf, told } = await fulfillmentTables(t, postgres);
  const provider = await scriptedProvider(t);
  const a = instanceOf('a', {
    providerUrl: provider.url,
    policy: { backoffMs: 3_600_000, backoffMaxMs: 3_600_000 },
  });
  a.start();
  const [shipped, failed, retrying] = [randomUUIDv7(), randomUUIDv7(), randomUUIDv7()] as const;
  const statuses: Record<string, number> = { [failed]: 422, [retrying]: 503 };
  provider.post = async ({ reference }) => {
    const status = statuses[reference];
    return status === undefined ? shipment('T1') : { status, body: { detail: 'no' } };
  };
  for (const id of [shipped, failed, retrying]) await a.handle([orderEvent(orderCreated(id))]);
  await until('all are told', () =>
    [shipped, failed, retrying].every((id) => told(id).length === 2),
  );
  await until('the outbox is empty', async () => (await sql('SELECT 1 FROM outbox')).length === 0);
  const first = fake.taken
    .splice(0)
    .map(({ event }) => JSON.parse(String(event.value)) as FulfillmentEvent);

  const republish = createFulfillmentRepublish(connect('operator'));
  const answer = await republish({ ...request, orderIds: [shipped, failed, retrying] }, 'ada');
  assert.deepEqual(
    answer.touched.map(({ orderId, state, events }) => [orderId, state, events[0]?.eventType]),
    [
      [shipped, 'Shipped', 'OrderFulfilled'],
      [failed, 'Failed', 'OrderFailed'],
      [retrying, 'Retrying', 'FulfillmentRetrying'],
    ].sort(),
  );
  await until('the copies are published', () => fake.taken.length === 3);
  const again = fake.taken.map(({ event }) => JSON.parse(String(event.value)) as FulfillmentEvent);
  for (const id of [shipped, failed, retrying]) {
    const newest = first.find(({ orderId, sequence }) => orderId === id && sequence === 2);
    const copy = again.find(({ orderId }) => orderId === id);
    assert.ok(newest && copy);
    assert.deepEqual(withoutMoments(copy), withoutMoments(newest));
  }
});

test('A fulfillment without an outcome is told again as started', async (t) => {
  const { connect, instanceOf, sql } = await fulfillmentTables(t, postgres);
  const { handle } = instanceOf('a', { providerUrl: 'http://127.0.0.1:9' });
  const orderId = randomUUIDv7();
  await handle([orderEvent(orderCreated(orderId))]);
  await until('it is published', async () => (await sql('SELECT 1 FROM outbox')).length === 0);
  const republish = createFulfillmentRepublish(connect('operator'));
  const { touched } = await republish({ ...request, filter: { state: 'Processing' } }, 'ada');
  assert.deepEqual(
    [touched[0]?.orderId, touched[0]?.events[0]?.eventType, touched[0]?.events[0]?.sequence],
    [orderId, 'FulfillmentStarted', 1],
  );
  const [row] = await sql<{ payload: string }>('SELECT payload FROM outbox');
  const { fulfillment } = JSON.parse(row?.payload ?? '') as FulfillmentEvent;
  assert.deepEqual([fulfillment.status, fulfillment.attempts], ['Processing', 0]);
  assert.deepEqual(
    (await republish({ ...request, filter: { state: 'Failed' } }, 'ada')).touched,
    [],
  );
});
