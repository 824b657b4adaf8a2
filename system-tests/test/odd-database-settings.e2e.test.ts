import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { call } from '@orders/lab/kit/http';
import { startLocalPostgres } from '@orders/lab/kit/local-postgres';
import { anOrder, anOrderOf, place, post, readOrders, untilOrder } from '@orders/lab/kit/orders';
import { runAudit } from '@orders/lab/kit/run-audit';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';
import pg from 'pg';

/** What people set for a role or a database, and what changes the meaning of SQL or of a value. */
const odd: Record<string, string> = {
  array_nulls: 'off',
  bytea_output: 'escape',
  client_encoding: 'LATIN1',
  client_min_messages: 'debug1',
  DateStyle: 'SQL, DMY',
  default_transaction_deferrable: 'on',
  default_transaction_isolation: 'serializable',
  enable_indexscan: 'off',
  enable_nestloop: 'off',
  extra_float_digits: '-15',
  idle_in_transaction_session_timeout: '50ms',
  idle_session_timeout: '300ms',
  IntervalStyle: 'sql_standard',
  lock_timeout: '1ms',
  quote_all_identifiers: 'on',
  search_path: 'nowhere',
  standard_conforming_strings: 'off',
  statement_timeout: '300ms',
  synchronous_commit: 'off',
  TimeZone: 'Asia/Kathmandu',
  transaction_timeout: '400ms',
  transform_null_equals: 'on',
  xmlbinary: 'hex',
};

/** Databases of both services whose role, or which themselves, have the odd settings. */
async function oddDatabases(owner: 'ROLE' | 'DATABASE') {
  const directory = await mkdtemp(join(tmpdir(), 'orders-odd-'));
  const server = await startLocalPostgres(directory);
  const urls = { orders: server.orders, fulfillment: server.fulfillment };
  for (const [name, connectionString] of Object.entries(urls)) {
    const client = new pg.Client({ connectionString });
    await client.connect();
    for (const [setting, value] of Object.entries(odd)) {
      const list = setting === 'DateStyle' ? value : `'${value}'`;
      await client.query(`ALTER ${owner} ${name} SET ${setting} = ${list}`);
    }
    await client.end();
  }
  return {
    env: { ORDERS_DATABASE_URL: urls.orders, FULFILLMENT_DATABASE_URL: urls.fulfillment },
    async close() {
      await server.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

for (const owner of ['ROLE', 'DATABASE'] as const) {
  test(`Whatever the settings of the ${owner.toLowerCase()} are, orders are placed, shown, shipped and operated`, async (t) => {
    const databases = await oddDatabases(owner);
    const { env } = databases;
    const { url, fulfillmentUrl, providerUrl, directory, program } = await startSystem({ t, env });
    t.after(() => databases.close());
    const key = { 'idempotency-key': `odd ${owner}` };
    const order = anOrder({ customerName: "Zoë \\ O'Hara" });
    const orderId = await place(url, order, key);
    const shipped = await untilOrder(url, orderId, 'Shipped');
    assert.equal(shipped.customerName, order.customerName);
    assert.equal(shipped.items[0]?.unitPrice, 19.99);
    assert.match(shipped.createdAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.ok(Math.abs(Date.parse(shipped.createdAt) - Date.now()) < 30_000, shipped.createdAt);
    const again = await post(url, order, key);
    assert.equal(again.body.orderId, orderId, again.text);
    const plain = { ...anOrderOf('product-1') };
    delete (plain as { currency?: string }).currency;
    await untilOrder(url, await place(url, plain), 'Shipped');
    const failed = await place(url, anOrderOf('TEST-REFUSE'));
    await untilOrder(url, failed, 'Failed');
    const listed = (await readOrders(url)).map(({ status }) => status).sort();
    assert.deepEqual(listed, ['Failed', 'Shipped', 'Shipped']);

    const timeline = await call('GET', `${url}/api/orders/${orderId}/timeline`);
    assert.equal(timeline.status, 200, timeline.text);
    const seen = await call('GET', `${fulfillmentUrl}/api/fulfillments/${orderId}`);
    assert.equal(seen.status, 200, seen.text);
    for (const path of ['/api/stuck', '/api/dead-letters', '/api/operator-actions']) {
      const answer = await call('GET', `${fulfillmentUrl}${path}`);
      assert.equal(answer.status, 200, answer.text);
    }
    // Longer than connections may be idle by the odd settings.
    const pause = performance.now() + 700;
    await until('a pause', 5, async () => performance.now() > pause);
    await untilOrder(url, await place(url, anOrder()), 'Shipped');
    const audit = await runAudit({
      directory,
      env: { ...env, SHIPPING_BASE_URL: providerUrl },
    });
    assert.equal(audit.code, 0, audit.text);
    const complaints = program.lines.filter((line) => /"(warn|error|fatal)"/.test(line));
    const own = complaints.filter((line) => !line.includes(failed));
    assert.deepEqual(own, []);
  });
}
