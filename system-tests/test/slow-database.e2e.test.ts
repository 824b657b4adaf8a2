import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { call } from '@orders/lab/kit/http';
import { startLocalPostgres } from '@orders/lab/kit/local-postgres';
import { anOrder, place, post, untilOrder } from '@orders/lab/kit/orders';
import { startSystem } from '@orders/lab/kit/started-system';
import { startTcpProxy } from '@orders/lab/kit/tcp-proxy';

/** Each way; some six clients, all busy, wait for a database so far away. */
const delayMs = 100;
const readers = 200;
const orders = 120;

test(`${readers} readers of a database that is far away are turned away before an order or readiness is`, async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'orders-far-'));
  const server = await startLocalPostgres(directory);
  const proxy = await startTcpProxy({ targetPort: Number(new URL(server.orders).port) });
  t.after(async () => {
    await proxy.close();
    await server.close();
    await rm(directory, { recursive: true, force: true, maxRetries: 5 });
  });
  const orderUrl = new URL(server.orders);
  orderUrl.port = String(proxy.port);
  const system = await startSystem({
    t,
    env: { ORDERS_DATABASE_URL: orderUrl.href, FULFILLMENT_DATABASE_URL: server.fulfillment },
  });
  const { url } = system;
  const known = await place(url, anOrder());
  await untilOrder(url, known, 'Shipped');
  proxy.slow(delayMs);

  let isPlacing = true;
  const reads = new Map<string, number>();
  const paths = ['?limit=200', `/${known}`, '?status=Shipped', `/${known}/timeline`];
  const reading = Array.from({ length: readers }, async (_, i) => {
    while (isPlacing) {
      const answer = await call('GET', `${url}/api/orders${paths[i % paths.length]}`);
      const code = answer.status === 200 ? 'ok' : `${answer.status} ${answer.body.code}`;
      reads.set(code, (reads.get(code) ?? 0) + 1);
    }
  });
  const ready: number[] = [];
  const asking = (async () => {
    while (isPlacing) ready.push((await call('GET', `${url}/health/ready`)).status);
  })();
  const placed: { status: number; ms: number; text: string }[] = [];
  for (let i = 0; i < orders / 10; i += 1)
    placed.push(...(await Promise.all(Array.from({ length: 10 }, () => post(url, anOrder())))));
  isPlacing = false;
  await Promise.all([...reading, asking]);

  t.diagnostic(`reads: ${JSON.stringify(Object.fromEntries(reads))}`);
  t.diagnostic(`the slowest order took ${Math.round(Math.max(...placed.map(({ ms }) => ms)))} ms`);
  for (const { status, text } of placed) assert.equal(status, 201, text);
  assert.deepEqual(new Set(ready), new Set([200]));
  assert.ok((reads.get('ok') ?? 0) > 0);
  for (const code of reads.keys()) assert.ok(['ok', '503 overloaded'].includes(code), code);
});
