import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { call } from '@orders/lab/kit/http';
import { anOrder, place, post, untilOrder } from '@orders/lab/kit/orders';
import { isPostgres } from '@orders/lab/kit/postgres-processes';
import { startSystem } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';

test('While every process of PostgreSQL is stopped callers get 503 within three seconds, and all is well at once afterwards', async (t) => {
  const system = await startSystem({ t });
  const { url, fulfillmentUrl } = system;
  const before = await place(url, anOrder());
  await untilOrder(url, before, 'Shipped');
  // The postmaster first, so that it starts no further process.
  const signalAll = (signal: NodeJS.Signals) => {
    const processes = system.processes().filter(({ name }) => isPostgres(name));
    assert.ok(processes.length > 3, 'the postmaster and its children');
    for (const { pid } of processes) sendSignal(pid, signal);
  };
  const waits: number[] = [];
  for (const round of [1, 2]) {
    signalAll('SIGSTOP');
    const posts = Array.from({ length: 20 }, (_, i) =>
      post(url, anOrder(), i % 2 ? { 'idempotency-key': `hang-${round}-${i}` } : {}),
    );
    const reads = [`${url}/api/orders/${before}`, `${url}/api/orders?limit=1`].map((path) =>
      call('GET', path),
    );
    for (const { status, text, ms } of await Promise.all(posts)) {
      assert.equal(status, 503, text);
      waits.push(ms);
    }
    for (const { status, text } of await Promise.all(reads)) assert.equal(status, 503, text);
    for (const service of [url, fulfillmentUrl])
      assert.equal((await call('GET', `${service}/health/ready`)).status, 503, service);
    const late = await post(url, anOrder());
    assert.equal(late.status, 503, late.text);
    assert.ok(late.ms < 500, `a silent server is known by now, but it took ${late.ms} ms`);
    signalAll('SIGCONT');
    const begun = performance.now();
    await until(
      'an order to be accepted',
      5,
      async () => (await post(url, anOrder())).status === 201,
    );
    assert.ok(performance.now() - begun < 2_500, `after ${performance.now() - begun} ms`);
    await until(
      'both to be ready',
      5,
      async () =>
        (await call('GET', `${url}/health/ready`)).status === 200 &&
        (await call('GET', `${fulfillmentUrl}/health/ready`)).status === 200,
    );
    await untilOrder(url, await place(url, anOrder()), 'Shipped');
  }
  t.diagnostic(`the slowest order took ${Math.round(Math.max(...waits))} ms`);
  assert.ok(Math.max(...waits) < 3_000, `the slowest took ${Math.max(...waits)} ms`);
  assert.equal(system.program.exit, undefined);
});
