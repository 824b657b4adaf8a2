import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { OrderRepublishFilter, type RepublishAnswer } from '@orders/contracts/operate/republish';
import { createHttpServer } from '@orders/platform/http/server';
import { addRepublishRoutes } from '@orders/platform/operate/republish-routes';
import { silentLog, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import { createOrderRepublish } from '../../src/operate/republish-orders.ts';
import { newOrder, orderTables, trace } from '../order-instance.ts';

const postgres = await startTestPostgres();

async function republishing(t: TestContext) {
  const tables = await orderTables(t, postgres);
  const instance = tables.instanceOf('a');
  const app = createHttpServer({ log: silentLog });
  t.after(() => app.close());
  const republish = createOrderRepublish(tables.connect('routes'));
  addRepublishRoutes(app, { filter: OrderRepublishFilter, republish });
  const post = async <T = RepublishAnswer>(payload: object) => {
    const headers = { 'x-operator': 'ada' };
    const answer = await app.inject({
      method: 'POST',
      url: '/api/events/republish',
      headers,
      payload,
    });
    return { status: answer.statusCode, body: JSON.parse(answer.body) as T };
  };
  /**
   * Orders that were placed, published and marked; resolves to their ids in order, with what was
   * published first.
   */
  const published = async (count: number) => {
    const answers = await Promise.all(
      Array.from({ length: count }, () => instance.place(newOrder(), trace)),
    );
    await until('all are published', async () => (await tables.count('outbox')) === 0);
    await tables.sql("UPDATE orders SET correlation_id = 'test'");
    return answers.map(({ orderId }) => orderId).sort();
  };
  return { ...tables, ...instance, post, published };
}

const reason = 'the topic was lost';

test('I13: An order is told again by the same event with the same id, and the relay publishes it', async (t) => {
  const { post, published, fake, relay, sql } = await republishing(t);
  const [orderId = ''] = await published(1);
  const first = fake.taken.map(({ event }) => event);
  const { status, body } = await post({ orderIds: [orderId.toUpperCase()], reason });
  assert.equal(status, 200, JSON.stringify(body));
  assert.deepEqual([body.touched.length, body.skipped, body.more], [1, [], false]);
  relay.start();
  await until('the copy is published', () => fake.taken.length === 2);
  const copy = fake.taken[1]?.event;
  assert.deepEqual(copy, first[0]);
  const [record] = await sql(
    "SELECT operator, action, reason, result->>'events' AS events FROM operator_actions",
  );
  assert.deepEqual(record, { operator: 'ada', action: 'republish', reason, events: '1' });
});

test('A requested cancellation is told again with its order', async (t) => {
  const { post, published, sql } = await republishing(t);
  const [orderId = ''] = await published(1);
  await sql(
    "UPDATE orders SET cancel_requested_at = '2026-01-20T21:09:00Z', cancel_reason = 'too late'",
  );
  const { body } = await post({ orderIds: [orderId], reason });
  assert.deepEqual(
    body.touched[0]?.events.map(({ eventType, sequence }) => `${eventType} ${sequence}`),
    ['OrderCreated 1', 'OrderCancellationRequested 2'],
  );
  const [row] = await sql<{ payload: string; event_id: string }>(
    'SELECT payload, event_id FROM outbox WHERE sequence = 2',
  );
  const { eventId, requestedAt, reason: why } = JSON.parse(row?.payload ?? '');
  assert.deepEqual(
    [eventId, requestedAt, why],
    [row?.event_id, '2026-01-20T21:09:00.000Z', 'too late'],
  );
});

test('Events become due one after another at the rate of the request, without anyone who keeps it', async (t) => {
  const { post, published, sql } = await republishing(t);
  const orderIds = await published(5);
  const { body } = await post({ orderIds, ratePerSecond: 2, reason });
  const due = await sql<{ key: string; at: Date; claimed_by: null }>(
    'SELECT key, claim_until AS at, claimed_by FROM outbox ORDER BY key',
  );
  const steps = due.map(({ at }) => at.getTime() - (due[0]?.at.getTime() ?? 0));
  assert.deepEqual(steps, [0, 500, 1_000, 1_500, 2_000]);
  assert.deepEqual(
    due.map(({ key, at, claimed_by }) => [key, at.toISOString(), claimed_by]),
    body.touched.map(({ orderId, events }) => [orderId, events[0]?.sendAt, null]),
  );
});

test('A dry run lists exactly what the real run sends, and writes nothing', async (t) => {
  const { post, published, sql } = await republishing(t);
  const orderIds = await published(4);
  await sql("UPDATE orders SET status = 'Shipped' WHERE order_id = $1", [orderIds[2]]);
  await sql("UPDATE orders SET updated_at = now() - interval '1 hour' WHERE order_id <> $1", [
    orderIds[3],
  ]);
  const request = { filter: { status: 'Created', olderThanSeconds: 60 }, reason };
  const dry = await post({ ...request, dryRun: true });
  assert.equal(
    (await sql('SELECT 1 FROM outbox UNION ALL SELECT 1 FROM operator_actions')).length,
    0,
  );
  const real = await post(request);
  const what = ({ touched, skipped }: RepublishAnswer) => [
    touched.map(({ events, ...order }) => ({
      ...order,
      events: events.map(({ sendAt: _, ...event }) => event),
    })),
    skipped,
  ];
  assert.deepEqual(what(dry.body), what(real.body));
  assert.deepEqual(
    real.body.touched.map(({ orderId }) => orderId),
    orderIds.slice(0, 2),
  );
  assert.ok(
    [...dry.body.touched, ...real.body.touched].every(({ events }) => events[0]?.sendAt !== null),
  );
});

test('What waits to be published is left as it is; what the broker had refused is tried again', async (t) => {
  const { post, published, sql } = await republishing(t);
  const [waiting = '', refused = ''] = await published(2);
  await post({ orderIds: [waiting, refused], ratePerSecond: 0.1, reason });
  await sql(
    "UPDATE outbox SET refused = 'not authorised', claim_until = 'infinity' WHERE key = $1",
    [refused],
  );
  const before = await sql('SELECT * FROM outbox WHERE key = $1', [waiting]);
  for (const dryRun of [true, false]) {
    const { body } = await post({ orderIds: [waiting, refused], dryRun, reason });
    const sendAt = body.touched.map(({ events }) => events[0]?.sendAt);
    assert.deepEqual([sendAt[0], typeof sendAt[1]], [null, 'string'], `dryRun ${dryRun}`);
  }
  assert.deepEqual(await sql('SELECT * FROM outbox WHERE key = $1', [waiting]), before);
  const [tried] = await sql(
    'SELECT refused, claim_until < now() AS due FROM outbox WHERE key = $1',
    [refused],
  );
  assert.equal(tried?.refused, null);
});

test('A filter goes through all its orders by pages, newest first, within its times', async (t) => {
  const { post, published } = await republishing(t);
  const orderIds = await published(5);
  const seen: string[] = [];
  let pageToken: string | null = null as string | null;
  for (let page = 0; page < 5; page += 1) {
    const { status, body }: { status: number; body: RepublishAnswer } = await post({
      filter: { status: 'Created', createdFrom: '2020-01-01T00:00:00Z' },
      limit: 2,
      dryRun: true,
      reason,
      ...(pageToken !== null && { pageToken }),
    });
    assert.equal(status, 200, JSON.stringify(body));
    seen.unshift(...body.touched.map(({ orderId }) => orderId));
    pageToken = body.nextPageToken;
    assert.equal(body.more, pageToken !== null);
    if (pageToken === null) break;
  }
  assert.deepEqual(seen, orderIds);
  for (const window of [
    { createdTo: '2020-01-01T00:00:00Z' },
    { createdFrom: '2100-01-01T00:00:00Z' },
  ]) {
    const { body } = await post({ filter: { status: 'Created', ...window }, reason });
    assert.deepEqual(body.touched, []);
  }
});

test('Unknown orders are named, and a request with both or neither selection is refused', async (t) => {
  const { post, sql } = await republishing(t);
  const unknown = randomUUIDv7();
  assert.deepEqual(
    (await post({ orderIds: [unknown], reason })).body.skipped.map(({ orderId }) => orderId),
    [unknown],
  );
  const filter = { status: 'Created' };
  for (const bad of [
    { reason },
    { orderIds: [unknown], filter, reason },
    { filter },
    { filter: { state: 'Created' }, reason },
    { filter, pageToken: 'x', reason },
    { filter, ratePerSecond: 1_001, reason },
  ]) {
    const { status, body } = await post<{ code: string }>(bad);
    assert.deepEqual([status, body.code], [400, 'validation_failed'], JSON.stringify(bad));
  }
  assert.equal((await sql('SELECT * FROM outbox')).length, 0);
});
