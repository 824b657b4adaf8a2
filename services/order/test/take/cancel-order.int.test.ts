import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { OrderPage, OrderView } from '@orders/contracts/orders/api';
import { OrderCancellationRequested } from '@orders/contracts/orders/events';
import { createDatabase } from '@orders/platform/postgres/database';
import { createValidator } from '@orders/platform/process/validator';
import { silentLog, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import { fulfillmentEvent } from '../fulfillment-events.ts';
import { runningService } from '../running-service.ts';

const postgres = await startTestPostgres();
const isCancellation = createValidator(OrderCancellationRequested).accepts;

test('a request to cancel is shown at once and published once, however often and by whom it is asked', async (t) => {
  const [a, b] = [await runningService(t, postgres), await runningService(t, postgres)];
  const orderId = await a.place();
  const trace = {
    'x-correlation-id': 'why',
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  };
  const reason = 'Zoë\'s "change"\n of 心';
  const first = await a.ask<OrderView>(
    'POST',
    `/${orderId.toUpperCase()}/cancel`,
    { reason },
    trace,
  );
  assert.equal(first.status, 202, first.text);
  const { cancellation } = first.body;
  assert.equal(cancellation?.outcome, null);
  assert.equal(first.body.status, 'Created');
  const again = await Promise.all(
    [a, b, a, b].map((one) => one.ask<OrderView>('POST', `/${orderId}/cancel`)),
  );
  for (const { status, body } of again)
    assert.deepEqual([status, body.cancellation], [202, cancellation]);
  await until('it is heard', () => a.heard().length === 2);
  const [, event] = a.heard();
  assert.ok(isCancellation(event));
  assert.deepEqual(
    { ...event, eventId: '' },
    {
      eventType: 'OrderCancellationRequested',
      schemaVersion: 1,
      eventId: '',
      orderId,
      sequence: 2,
      reason,
      metadata: { source: 'OrderService', correlationId: 'why' },
      requestedAt: cancellation?.requestedAt,
    },
  );
  const page = await b.ask<OrderPage>('GET', '?limit=1');
  assert.deepEqual(page.body.items[0]?.cancellation, cancellation);
  assert.deepEqual(b.heard(), []);
});

test('what comes of it is told by the status, and a final order cannot be cancelled', async (t) => {
  const { place, ask, publish } = await runningService(t, postgres);
  const outcomes = { Cancelled: 'cancelled', Shipped: 'too_late', Failed: 'too_late' } as const;
  for (const [status, outcome] of Object.entries(outcomes)) {
    const orderId = await place();
    await publish(fulfillmentEvent(orderId, 1, 'Processing'));
    assert.equal((await ask('POST', `/${orderId}/cancel`, {})).status, 202);
    await publish(fulfillmentEvent(orderId, 2, status as keyof typeof outcomes));
    const shown = await ask<OrderView>('GET', `/${orderId}`);
    assert.equal(shown.body.cancellation?.outcome, outcome);
    const late = await ask('POST', `/${orderId}/cancel`, {});
    assert.deepEqual([late.status, late.body.code], [409, 'order_final']);
  }
  const orderId = await place();
  await publish(fulfillmentEvent(orderId, 1, 'Shipped'));
  assert.equal((await ask('POST', `/${orderId}/cancel`)).status, 409);
  assert.equal((await ask<OrderView>('GET', `/${orderId}`)).body.cancellation, null);
});

test('a request that waits while its order is being shipped comes too late, and nothing is told', async (t) => {
  const { place, ask, heard } = await runningService(t, postgres);
  const orderId = await place();
  await until('the order is heard', () => heard().length === 1);
  const connect = {
    url: postgres.url,
    schema: 'orders',
    log: silentLog,
    connections: 2,
    instance: 'shipping',
  };
  const database = createDatabase(connect);
  t.after(() => database.close());
  const waiting = {
    name: 'waiting',
    text: "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%cancel_requested_at%'",
  };
  const asked = await database.withConnection(async (client) => {
    await client.query('BEGIN');
    await client.query("UPDATE orders SET status = 'Shipped' WHERE order_id = $1", [orderId]);
    const asking = ask('POST', `/${orderId}/cancel`);
    await until('it waits', async () => (await database.query(waiting, [])).length > 0);
    await client.query('COMMIT');
    return await asking;
  });
  assert.deepEqual([asked.status, asked.body.code], [409, 'order_final']);
  assert.equal((await ask<OrderView>('GET', `/${orderId}`)).body.cancellation, null);
  assert.equal(heard().length, 1);
});

test('while nothing can be published a request is taken, and heard with its order when publishing works again', async (t) => {
  const { place, ask, heard, goDeaf, listen } = await runningService(t, postgres);
  await goDeaf();
  const orderId = await place();
  assert.equal((await ask('POST', `/${orderId}/cancel`)).status, 202);
  await listen();
  const types = () => new Set(heard().map(({ eventType }) => eventType));
  // In any order: after a failure readers go by the sequence.
  await until('both are heard', () => types().size === 2, 20_000);
  assert.deepEqual(types(), new Set(['OrderCreated', 'OrderCancellationRequested']));
});

test('a body may be missing or empty, a wrong one is told with its place', async (t) => {
  const { place, ask } = await runningService(t, postgres);
  const orderId = await place();
  const path = `/${orderId}/cancel`;
  const wrong: [unknown, string][] = [
    [{ reason: 'x'.repeat(501) }, '/reason'],
    [{ reason: ' ' }, '/reason'],
    [{ reason: 'a\u0000' }, '/reason'],
    [{ reason: 5 }, '/reason'],
    [{ why: 'x' }, '/why'],
    ['[]', ''],
    ['null', ''],
  ];
  for (const [body, pointer] of wrong) {
    const answer = await ask<{ code: string; errors: { pointer: string }[] }>('POST', path, body);
    assert.deepEqual(
      [answer.status, answer.body.code],
      [400, 'validation_failed'],
      JSON.stringify(body),
    );
    assert.deepEqual(
      answer.body.errors.map((error) => error.pointer),
      [pointer],
    );
  }
  assert.equal((await ask<OrderView>('GET', `/${orderId}`)).body.cancellation, null);
  for (const body of [undefined, '', {}]) assert.equal((await ask('POST', path, body)).status, 202);
  assert.equal(
    (await ask('POST', '/0190c8a0-0000-7000-8000-000000000000/cancel')).body.code,
    'order_not_found',
  );
  assert.equal((await ask('POST', '/42/cancel')).status, 400);
  const other = await ask('GET', path);
  assert.deepEqual([other.status, other.headers.get('allow')], [405, 'POST']);
});
