import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { databaseUrls } from '@orders/lab/kit/databases';
import { call } from '@orders/lab/kit/http';
import { anOrder, place, post, readOrder, untilOrder } from '@orders/lab/kit/orders';
import { startSystem } from '@orders/lab/kit/started-system';
import type { System } from '@orders/lab/kit/system';
import { until } from '@orders/lab/kit/until';
import pg from 'pg';

/** Runs statements as the superuser of the system's own server. */
async function superuser(t: TestContext, system: System) {
  const url = new URL(databaseUrls(system.dataDir).orders);
  url.username = 'postgres';
  url.password = readFileSync(join(system.dataDir, 'postgres-password'), 'utf8');
  url.pathname = '/postgres';
  const client = new pg.Client({ connectionString: url.href });
  // The server ends first.
  client.on('error', () => undefined);
  await client.connect();
  t.after(() => client.end());
  return async (text: string) => void (await client.query(text));
}

const readyOf = async (url: string) => await call('GET', `${url}/health/ready`);

async function untilNotReady(system: System, reason: RegExp): Promise<void> {
  for (const url of [system.url, system.fulfillmentUrl]) {
    await until(`${url} to say why it is not ready`, 10, async () => {
      const { status, text } = await readyOf(url);
      return status === 503 && reason.test(text);
    });
  }
}

async function untilAllIsWell(system: System): Promise<void> {
  for (const url of [system.url, system.fulfillmentUrl])
    await until(`${url} to be ready`, 10, async () => (await readyOf(url)).status === 200);
  await untilOrder(system.url, await place(system.url, anOrder()), 'Shipped');
}

/** Warnings about the database, by service. */
const warnings = (system: System, service: string): string[] =>
  system.program.lines.filter(
    (line) =>
      /"warn"/.test(line) && /"part":"database"/.test(line) && line.includes(`"${service}"`),
  );

test('A server that becomes read-only is named by readiness and by one warning, orders are shown, and it heals by itself', async (t) => {
  const system = await startSystem({ t });
  const sql = await superuser(t, system);
  const before = await place(system.url, anOrder());
  await untilOrder(system.url, before, 'Shipped');
  await sql('ALTER SYSTEM SET default_transaction_read_only = on');
  await sql('SELECT pg_reload_conf()');
  await until(
    'an order to be refused',
    10,
    async () => (await post(system.url, anOrder())).status === 503,
  );
  await untilNotReady(system, /read-only/);
  for (let i = 0; i < 30; i += 1) {
    const { status, text, ms } = await post(system.url, anOrder());
    assert.equal(status, 503, text);
    assert.ok(ms < 2_000, `after ${ms} ms`);
  }
  assert.equal((await readOrder(system.url, before)).status, 'Shipped');
  await sql('SET default_transaction_read_only = off');
  await sql('ALTER SYSTEM RESET default_transaction_read_only');
  await sql('SELECT pg_reload_conf()');
  await untilAllIsWell(system);
  for (const service of ['order-service', 'fulfillment-service']) {
    const said = warnings(system, service);
    assert.equal(said.length, 1, said.join('\n'));
    assert.match(said[0] ?? '', /read-only/);
  }
});

test('Connections that were made while the database was read-only are replaced once it is not', async (t) => {
  const system = await startSystem({ t });
  const sql = await superuser(t, system);
  for (const name of ['orders', 'fulfillment'])
    await sql(`ALTER DATABASE ${name} SET default_transaction_read_only = on`);
  // As a fail-over does: what is open ends, what is new is read-only.
  await sql(
    `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE datname IN ('orders', 'fulfillment')`,
  );
  await untilNotReady(system, /read-only/);
  await until(
    'an order to be refused',
    10,
    async () => (await post(system.url, anOrder())).status === 503,
  );
  for (const name of ['orders', 'fulfillment'])
    await sql(`ALTER DATABASE ${name} RESET default_transaction_read_only`);
  await untilAllIsWell(system);
});
