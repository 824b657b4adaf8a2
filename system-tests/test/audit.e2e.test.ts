import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type TestContext, test } from 'node:test';
import { connectTo, databaseUrls } from '@orders/lab/kit/databases';
import { freePorts } from '@orders/lab/kit/free-ports';
import { call } from '@orders/lab/kit/http';
import { anOrder, anOrderOf, place, untilOrder } from '@orders/lab/kit/orders';
import { runAudit } from '@orders/lab/kit/run-audit';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';
import { startOrderLoad } from '@orders/lab/load/order-load';

const system = await startSystem();
const { url, providerUrl, directory, dataDir } = system;
const env = { DATA_DIR: dataDir, SHIPPING_BASE_URL: providerUrl };
const impatient = ['--grace', '0', '--stuck-after', '1'];

/** Places so many orders, each with a key, and waits until all are shipped. */
async function shipped(count: number, name: string): Promise<string[]> {
  const places = Array.from({ length: count }, (_, n) =>
    place(url, anOrder(), { 'idempotency-key': `${name}-${n}` }),
  );
  const ids = await Promise.all(places);
  await Promise.all(ids.map((id) => untilOrder(url, id, 'Shipped')));
  return ids;
}

test('An audit beside a system under load finds nothing, and finds the system without being told where it is', async (t) => {
  const load = startOrderLoad({ url, orders: [anOrder()], perSecond: 100, name: 'audited' });
  t.after(() => load.stop());
  await until('orders to be accepted', 20, () => load.accepted.length > 100);
  const { code, report, text } = await runAudit({ directory, env, args: ['--grace', '0'] });
  await load.stop();
  assert.equal(code, 0, text);
  assert.deepEqual([report?.mode, report?.ledger, report?.findings], ['embedded', 'complete', []]);
  assert.ok((report?.stations.orders ?? 0) > 100, text);
});

test('An audit of some dozens of orders, one of them failed, ends with 0 and counts every station', async () => {
  const ids = await shipped(40, 'whole');
  await untilOrder(url, await place(url, anOrderOf('TEST-REFUSE')), 'Failed');
  const { code, report, text } = await runAudit({ directory, env, args: impatient });
  assert.equal(code, 0, text);
  assert.match(
    text,
    /^OK: \d+ orders, nothing lost, doubled, orphaned, contradictory or stuck \(embedded/m,
  );
  const { orders = 0, fulfillments, projected, bookings, booked, foreign } = report?.stations ?? {};
  assert.ok(orders !== null && orders > ids.length);
  assert.deepEqual(
    [fulfillments, projected, bookings, booked, foreign],
    [orders, orders, orders - 1, orders - 1, 0],
  );
});

test('At a provider without a ledger only suspects are looked up, and the report says so', async () => {
  // Any server that has no such route stands for a provider of the real world; it has no shipment
  // either.
  const { code, report, text } = await runAudit({
    directory,
    env: { ...env, SHIPPING_BASE_URL: system.fulfillmentUrl },
  });
  assert.equal(code, 0, text);
  assert.deepEqual(
    [report?.ledger, report?.stations.bookings, report?.suspects],
    ['none', null, 1],
  );
  assert.match(text, /^note: The shipping provider has no ledger: only suspects/m);
});

test('An audit names every order that was damaged, and how, and ends with 1', async (t) => {
  const ids = await shipped(12, 'damaged');
  const [gone, renumbered, cancelled, fallen, deleted, stuck, doubled, unlearned, ahead, waiting] =
    ids;
  const urls = databaseUrls(dataDir);
  const orders = await connectTo(t, urls.orders, 'orders');
  const fulfillment = await connectTo(t, urls.fulfillment, 'fulfillment');
  await fulfillment('DELETE FROM fulfillments WHERE order_id = $1', [gone]);
  await fulfillment(`UPDATE fulfillments SET tracking_number = 'X' WHERE order_id = $1`, [
    renumbered,
  ]);
  await fulfillment(`UPDATE fulfillments SET state = 'Cancelled' WHERE order_id = $1`, [cancelled]);
  await orders(`UPDATE orders SET status = 'Created' WHERE order_id = $1`, [fallen]);
  await orders('DELETE FROM orders WHERE order_id = $1', [deleted]);
  const open = `state = 'Retrying', due_at = now() + interval '1 h', filed_at = now() - interval '1 h'`;
  await fulfillment(`UPDATE fulfillments SET ${open} WHERE order_id = $1`, [stuck]);
  // Without a key the mock books again.
  const json = {
    reference: doubled,
    recipient: { customerId: 'c', name: 'n' },
    items: [{ productId: 'p', quantity: 1 }],
  };
  await call('POST', `${providerUrl}/api/shipments`, { json });
  await call('POST', `${providerUrl}/api/shipments`, { json: { ...json, reference: 'nobody' } });
  await orders('UPDATE orders SET sequence = 1 WHERE order_id = $1', [unlearned]);
  await orders('UPDATE orders SET sequence = 9 WHERE order_id = $1', [ahead]);
  await orders(
    `INSERT INTO outbox (key, sequence, topic, event_id, event_type, refused, claim_until)
     VALUES ($1, 2, 'order-events', gen_random_uuid(), 'OrderCreated', 'too large', 'infinity')`,
    [waiting],
  );

  const { code, report, text } = await runAudit({
    directory,
    env,
    args: [...impatient, '--strict'],
  });
  assert.equal(code, 1, text);
  const found =
    report?.findings.map(({ kind, name, orderId }) => `${kind} ${name} ${orderId}`) ?? [];
  assert.deepEqual(
    found.sort(),
    [
      `lost not_filed ${gone}`,
      `orphaned booking_without_fulfillment ${gone}`,
      `contradictory tracking_number_differs ${renumbered}`,
      `contradictory status_differs ${cancelled}`,
      `contradictory cancelled_with_booking ${cancelled}`,
      `contradictory status_differs ${fallen}`,
      `contradictory status_without_event ${fallen}`,
      `stuck open_too_long ${fallen}`,
      `orphaned fulfillment_without_order ${deleted}`,
      `orphaned key_without_order ${deleted}`,
      `contradictory status_differs ${stuck}`,
      `stuck open_too_long ${stuck}`,
      `doubled booked_more_than_once ${doubled}`,
      `contradictory posts_exceed_attempts ${doubled}`,
      'orphaned booking_without_fulfillment nobody',
      `lost not_projected ${unlearned}`,
      `contradictory order_ahead ${ahead}`,
      `stuck refused_event ${waiting}`,
    ].sort(),
  );
  assert.match(text, new RegExp(`^lost: not_filed 1\n  ${gone}  `, 'm'));
  assert.match(text, /^FAILED: 18 findings/m);
});

test('An audit names an order that was sent with other items, more often than recorded, or after its cancellation', async (t) => {
  const [swapped, renamed, forgotten, unwanted] = await shipped(4, 'contradicting');
  const urls = databaseUrls(dataDir);
  const orders = await connectTo(t, urls.orders, 'orders');
  const fulfillment = await connectTo(t, urls.fulfillment, 'fulfillment');
  const other = `replace(payload, '"quantity":', '"quantity":9')`;
  await fulfillment(`UPDATE fulfillments SET payload = ${other} WHERE order_id = $1`, [swapped]);
  await orders(`UPDATE orders SET customer_name = 'X' WHERE order_id = $1`, [renamed]);
  await fulfillment('UPDATE fulfillments SET attempts = 0 WHERE order_id = $1', [forgotten]);
  await fulfillment(
    `INSERT INTO cancellations (order_id, source_topic, source_partition, source_offset, filed_at)
     SELECT order_id, source_topic, 0, 0, attempted_at - interval '6 s'
     FROM fulfillments
     WHERE order_id = $1`,
    [unwanted],
  );

  const { report, text } = await runAudit({ directory, env, args: impatient });
  const found = report?.findings.map(({ kind, name, orderId }) => `${kind} ${name} ${orderId}`);
  for (const finding of [
    `contradictory content_differs ${swapped}`,
    `contradictory content_differs ${renamed}`,
    `contradictory posts_exceed_attempts ${forgotten}`,
    `contradictory sent_after_cancel ${unwanted}`,
  ])
    assert.ok(found?.includes(finding), `${finding}\n${text}`);
});

test('An audit that cannot look ends with 2 and says what is away', async (t) => {
  const [port] = await freePorts(1);
  const away = `127.0.0.1:${port}`;
  const nothing = await runAudit({ directory, env: { DATA_DIR: directory } });
  assert.equal(nothing.code, 2, nothing.text);
  assert.match(nothing.text, /Start it with "npm start", or set ORDERS_DATABASE_URL/);
  const database = await runAudit({
    directory,
    env: { ...env, ORDERS_DATABASE_URL: `postgres://o:p@${away}/o` },
  });
  assert.equal(database.code, 2, database.text);
  assert.match(database.text, /The database of ORDERS_DATABASE_URL cannot be read: .*ECONNREFUSED/);
  const provider = await runAudit({
    directory,
    env: { ...env, SHIPPING_BASE_URL: `http://${away}` },
  });
  assert.equal(provider.code, 2, provider.text);
  assert.match(provider.text, /The shipping provider at http:.* cannot be read/);
  // Regression: a ledger that is given up in the middle must not hold the end up.
  const longLedger = { SHIPPING_BASE_URL: await startLongLedger(t) };
  const kafka = await runAudit({
    directory,
    env: { ...env, ...longLedger, KAFKA_BOOTSTRAP_SERVERS: away },
  });
  assert.equal(kafka.code, 2, kafka.text);
  assert.match(kafka.text, /Kafka at .* cannot be read.*--mode embedded/);
});

test('Thousands of rows are read page by page, and the findings are shown in part and written in full', async (t) => {
  const many = 11_000;
  const rows = `SELECT ('ffffffff-0000-7000-8000-' || lpad(g::text, 12, '0'))::uuid AS id, g FROM generate_series(1, ${many}) g`;
  const urls = databaseUrls(dataDir);
  const orders = await connectTo(t, urls.orders, 'orders');
  const fulfillment = await connectTo(t, urls.fulfillment, 'fulfillment');
  await orders(`
    INSERT INTO orders (
      order_id, customer_id, customer_name, items, item_count, created_at, status, publish_failed,
      updated_at)
    SELECT id, 'c', 'n', '[]', 1, now(), 'Created', false, now() FROM (${rows})`);
  await orders(`
    INSERT INTO outbox (key, sequence, topic, event_id, event_type, refused, claim_until)
    SELECT id::text, 1, 'order-events', gen_random_uuid(), 'OrderCreated', 'planted', 'infinity'
    FROM (${rows})`);
  await orders(`
    INSERT INTO idempotency_keys (scope, key, hash, order_id, status)
    SELECT '', 'planted ' || g, '', id, 'Created'
    FROM (${rows})`);
  await fulfillment(`
    INSERT INTO cancellations (order_id, source_topic, source_partition, source_offset)
    SELECT id, 'order-events', 0, g
    FROM (${rows})`);
  const { code, report, text } = await runAudit({ directory, env });
  assert.equal(code, 1, text);
  const planted = report?.findings.filter(({ orderId }) => orderId.startsWith('ffffffff'));
  assert.deepEqual(
    Object.keys(Object.groupBy(planted ?? [], ({ kind, name }) => `${kind} ${name}`)),
    ['stuck refused_event'],
  );
  assert.equal(new Set(planted?.map(({ orderId }) => orderId)).size, many);
  assert.ok((report?.stations.idempotencyKeys ?? 0) > many);
  assert.match(text, /^ {2}and \d+ more; --json FILE has all$/m);
});

/** A provider whose ledger is far longer than any buffer on its way. */
async function startLongLedger(t: TestContext): Promise<string> {
  const line = (n: number) =>
    `${JSON.stringify({ reference: String(n).padStart(9, '0'), bookings: 0, posts: 1 })}\n`;
  const text = Array.from({ length: 100_000 }, (_, n) => line(n)).join('');
  const server = createServer((_request, response) => void response.end(text)).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
