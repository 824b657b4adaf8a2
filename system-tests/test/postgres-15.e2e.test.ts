import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { call } from '@orders/lab/kit/http';
import { createOperator } from '@orders/lab/kit/operator';
import { anOrder, anOrderOf, place, post, readOrders, untilOrder } from '@orders/lab/kit/orders';
import { startPostgres15 } from '@orders/lab/kit/postgres-15';
import { runAudit } from '@orders/lab/kit/run-audit';
import { startSystem } from '@orders/lab/kit/started-system';
import { elapse } from '@orders/lab/kit/until';

test('On PostgreSQL 15 orders are placed, shipped, refused, cancelled, operated and audited, without a complaint', async (t) => {
  const server = await startPostgres15(t);
  if (server === undefined) return;
  const env = { ORDERS_DATABASE_URL: server.orders, FULFILLMENT_DATABASE_URL: server.fulfillment };
  const system = await startSystem({ t, env: { ...env, STUCK_AFTER_SECONDS: '1' } });
  t.after(() => server.close());
  const { url, fulfillmentUrl, providerUrl, directory, program } = system;
  const key = { 'idempotency-key': 'fifteen' };
  const shipped = await place(url, anOrder(), key);
  await untilOrder(url, shipped, 'Shipped');
  assert.equal((await post(url, anOrder(), key)).body.orderId, shipped);
  const failed = await place(url, anOrderOf('TEST-REFUSE'));
  await untilOrder(url, failed, 'Failed');
  const hanging = await place(url, anOrderOf('TEST-DOWN'));
  await untilOrder(url, hanging, 'Retrying');
  const cancelled = await call('POST', `${url}/api/orders/${hanging}/cancel`, { json: {} });
  assert.equal(cancelled.status, 202, cancelled.text);
  await untilOrder(url, hanging, 'Cancelled', 30);

  const operator = createOperator(fulfillmentUrl);
  assert.equal((await operator.retry({ orderIds: [failed] })).touched.length, 1);
  const paths = ['stuck', 'dead-letters', 'operator-actions'].map((path) => `/api/${path}`);
  for (const service of [url, fulfillmentUrl]) {
    for (const path of paths) {
      const { status, text } = await call('GET', `${service}${path}`);
      assert.equal(status, 200, text);
    }
    const metrics = await call('GET', `${service}/metrics`);
    assert.equal(metrics.status, 200);
    const again = await call('POST', `${service}/api/events/republish`, {
      json: { orderIds: [shipped], reason: 'tested' },
      headers: { 'x-operator': 'test' },
    });
    assert.ok([200, 202].includes(again.status), again.text);
  }
  for (const path of [`?status=Shipped`, `?customerId=customer-123`, `/${shipped}/timeline`]) {
    const { status, text } = await call('GET', `${url}/api/orders${path}`);
    assert.equal(status, 200, text);
  }
  await untilOrder(url, failed, 'Failed');
  assert.equal((await readOrders(url)).length, 3);
  // The sentinels look every second.
  await elapse(3_000);
  const audit = await runAudit({ directory, env: { ...env, SHIPPING_BASE_URL: providerUrl } });
  assert.equal(audit.code, 0, audit.text);
  const complaints = program.lines.filter((line) => /"(warn|error|fatal)"/.test(line));
  const own = complaints.filter((line) => !line.includes(failed) && !line.includes(hanging));
  assert.deepEqual(own, []);
});

/** What PostgreSQL 15 does not have, as it would stand in SQL. */
const newer = [
  /\buuidv[47]\(/i,
  /\buuid_extract_\w+\(/i,
  /\bany_value\(/i,
  /\bIS (NOT )?JSON\b/,
  /\bjson_(array|object|scalar|serialize|value|query|exists|table)\(/i,
  /\bRETURNING\s+WITH\s*\(/i,
  /\bRETURNING (old|new)\./i,
  /\bMERGE\b[\s\S]*?\bRETURNING\b/,
  /\bpg_stat_io\b/,
  /\bGENERIC_PLAN\b/,
  /\bVIRTUAL\b.*\bGENERATED\b/,
];

test('No statement of the product uses what PostgreSQL 15 does not have', () => {
  const root = join(import.meta.dirname, '../..');
  const folders = ['services', 'packages', 'embedded/src', 'lab/src/audit'];
  const files = folders.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(ts|sql)$/.test(name) && !/(^|\/)(test|node_modules)\//.test(name))
      .map((name) => join(folder, name)),
  );
  assert.ok(files.some((file) => file.endsWith('.sql')));
  for (const file of files) {
    const text = readFileSync(join(root, file), 'utf8');
    for (const words of newer) assert.doesNotMatch(text, words, file);
    // Of a column in CREATE TABLE since 16; ALTER TABLE … SET STORAGE is older.
    for (const [statement] of text.matchAll(/CREATE TABLE[^;]*;/g))
      assert.doesNotMatch(statement, /\bSTORAGE\b/, file);
  }
});
