import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { anOrder } from '@orders/lab/kit/orders';
import { until } from '@orders/lab/kit/until';
import { Pool } from 'undici';
import { launch } from './launched.ts';

const repository = join(import.meta.dirname, '../..');

test('With 256 open files and 800 idle connections, orders of those who are in are placed and shipped', async (t) => {
  const start = 'ulimit -n 256; exec node embedded/src/main.ts';
  const system = await launch(t, repository, ['/bin/sh', '-c', start]);
  await system.untilReady();
  const client = new Pool(system.url, { connections: 1 });
  t.after(() => client.close());
  const ask = async (method: 'GET' | 'POST', path: string, order?: unknown) => {
    const { statusCode, body } = await client.request({
      method,
      path,
      ...(order !== undefined && { body: JSON.stringify(order) }),
      headers: { 'content-type': 'application/json' },
    });
    return { status: statusCode, body: (await body.json()) as { orderId: string; status: string } };
  };
  assert.equal((await ask('GET', '/health/live')).status, 200);
  const idle: Socket[] = [];
  t.after(() => idle.forEach((socket) => void socket.destroy()));
  for (const port of [system.port, system.fulfillmentPort])
    for (let count = 0; count < 400; count += 1)
      idle.push(connect(port, '127.0.0.1').on('error', () => undefined));
  await until(
    'those beyond the bound to be turned away',
    10,
    () =>
      idle.filter(({ destroyed, readyState }) => destroyed || readyState !== 'open').length > 600,
  );
  const orderIds: string[] = [];
  for (let count = 0; count < 100; count += 1) {
    const { status, body } = await ask('POST', '/api/orders', anOrder());
    assert.equal(status, 201, JSON.stringify(body));
    orderIds.push(body.orderId);
  }
  for (const orderId of orderIds)
    await until(`order ${orderId} to be Shipped`, 20, async () => {
      return (await ask('GET', `/api/orders/${orderId}`)).body.status === 'Shipped';
    });
});
