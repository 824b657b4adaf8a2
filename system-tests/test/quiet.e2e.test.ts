import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { anOrder, anOrderOf, place, readOrders, untilOrder } from '@orders/lab/kit/orders';
import { cpuMsOf, showsUsage } from '@orders/lab/kit/process-table';
import { startSystem } from '@orders/lab/kit/started-system';
import { elapse, until } from '@orders/lab/kit/until';
import { startOrderLoad } from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';
import pg from 'pg';

const system = await startSystem({ env: { SHIPPING_BACKOFF_MS: '100' } });
const { url } = system;
type LogLine = Record<string, unknown> & { level?: string; time?: string };

/** All lines of the log but the few that greet a person. */
const logLines = (): LogLine[] =>
  system.program.lines
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
const mentions = (line: LogLine, id: string): boolean => JSON.stringify(line).includes(id);

test('The log is JSON, and tells of an order by its id and correlation id, never by the customer', async () => {
  const secret = 'Zaphod Beeblebrox';
  const correlationId = 'trace-me-7d1f';
  const headers = { 'x-correlation-id': correlationId };
  const order = { ...anOrder(), customerName: secret };
  const shipped = await place(url, order, headers);
  await untilOrder(url, shipped, 'Shipped');
  const failed = await place(
    url,
    { ...order, ...{ items: anOrderOf('TEST-REFUSE').items } },
    headers,
  );
  await untilOrder(url, failed, 'Failed');
  await until('a line on the failed order', 5, () =>
    logLines().some((line) => mentions(line, failed)),
  );
  for (const line of logLines()) {
    assert.match(String(line.time), /^\d{4}-\d\d-\d\dT.*Z$/);
    assert.ok(
      ['info', 'warn', 'error', 'fatal'].includes(String(line.level)),
      JSON.stringify(line),
    );
  }
  const ofOrder = logLines().filter((line) => mentions(line, failed));
  for (const line of ofOrder) assert.ok(mentions(line, correlationId), JSON.stringify(line));
  const stations = new Set(ofOrder.map(({ station }) => station));
  for (const station of ['place', 'publish', 'receive', 'report', 'project'])
    assert.ok(stations.has(station), `no line of ${station}`);
  // The curl line that greets a person has an order of its own.
  const text = system.program.lines.filter((line) => !line.includes('curl')).join('\n');
  for (const word of [secret, 'Jane Roe', 'customerName'])
    assert.ok(!text.includes(word), `the log has ${word}`);
  const forPeople = system.program.lines.filter((line) => !line.startsWith('{'));
  assert.ok(forPeople.length <= 15, forPeople.join('\n'));
});

test('After a load it is quiet: no log line, hardly any CPU, few statements', async (t) => {
  const load = startOrderLoad({
    url,
    orders: await readRealOrders(),
    perSecond: 150,
    name: 'Marvin Android',
  });
  await until('orders to be accepted', 20, () => load.accepted.length >= 450);
  await load.stop();
  await until('all orders to be final', 30, async () => {
    return (await readOrders(url)).every(
      ({ status }) => status === 'Shipped' || status === 'Failed',
    );
  });
  // A backend of PostgreSQL that goes idle tells its last commits, those of the load, up to 10 s
  // later.
  await elapse(11_500);
  // As long as statistics may be late, or their coming in lumps would count.
  const seconds = 10;
  const before = { lines: system.program.lines.length, cpuMs: cpuMs(), commits: await commits() };
  await elapse(seconds * 1_000);
  const news = system.program.lines.slice(before.lines);
  const cpuShare = (cpuMs() - before.cpuMs) / (seconds * 1_000);
  const perSecond = ((await commits()) - before.commits) / seconds;
  t.diagnostic(
    `idle: ${(cpuShare * 100).toFixed(1)} % CPU, ${perSecond.toFixed(1)} commits/s, ${news.length} log lines`,
  );
  assert.deepEqual(news, []);
  assert.ok(cpuShare < 0.05, `${(cpuShare * 100).toFixed(1)} % CPU while idle`);
  assert.ok(perSecond <= 10, `${perSecond} commits per second while idle`);
  assert.ok(
    !system.program.lines.some((line) => line.includes('Marvin Android')),
    'the log names a customer',
  );
});

const cpuMs = (): number => (showsUsage ? cpuMsOf(system.program.pid) : 0);

/**
 * Transactions of all databases of the embedded server since its start, as its statistics tell a
 * little later.
 */
async function commits(): Promise<number> {
  const { urls } = JSON.parse(readFileSync(join(system.dataDir, 'postgres.json'), 'utf8')) as {
    urls: Record<string, string>;
  };
  const client = new pg.Client({ connectionString: urls.orders });
  await client.connect();
  try {
    const { rows } = await client.query<{ sum: string }>(
      'SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database',
    );
    return Number(rows[0]?.sum);
  } finally {
    await client.end();
  }
}
