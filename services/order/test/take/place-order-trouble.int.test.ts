import assert from 'node:assert/strict';
import { connect as connectTo, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import type { Database } from '@orders/platform/postgres/database';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until, within } from '@orders/platform/test/kit/until';
import { newOrder, orderTables, trace } from '../order-instance.ts';

const postgres = await startTestPostgres();
const withKey = (key: string) => ({ ...trace, key: { scope: '', key } });

async function holdTransaction(
  t: TestContext,
  connect: (instance: string) => Database,
  text: string,
) {
  const [began, release] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  t.after(() => release.resolve());
  const holding = connect('holder').withConnection(async (client) => {
    await client.query(`BEGIN; ${text}`);
    began.resolve();
    await release.promise;
    await client.query('ROLLBACK');
  });
  await within('the transaction is open', Promise.race([began.promise, holding]));
  return async () => {
    release.resolve();
    await holding;
  };
}

test('a key that another transaction holds is 409, and keyless orders do not wait for it', async (t) => {
  const { instanceOf, connect } = await orderTables(t, postgres);
  const { place } = instanceOf('a');
  const insert = "INSERT INTO idempotency_keys VALUES ('', 'k', 'h', gen_random_uuid(), 'Created')";
  const release = await holdTransaction(t, connect, insert);
  const fault = { code: 'idempotency_in_progress', retryAfterSeconds: 1 };
  const blocked = assert.rejects(place(newOrder(), withKey('k')), fault);
  await within('a keyless order', place(newOrder(), trace), 1_000);
  await within('the answer', blocked, 5_000);
  await release();
  assert.equal((await place(newOrder(), withKey('k'))).isRepeat, false);
});

/**
 * A proxy before the server: `cut` ends every connection, and what the server has yet to say is
 * lost.
 */
async function proxy(t: TestContext) {
  const { hostname, port } = new URL(postgres.url);
  const sockets = new Set<Socket>();
  const state = { swallowAnswers: false };
  const server = createServer((inside) => {
    const outside = connectTo(Number(port), hostname);
    for (const socket of [inside, outside]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => sockets.delete(socket));
    }
    inside.pipe(outside);
    outside.on('data', (chunk) => state.swallowAnswers || inside.write(chunk));
    inside.on('close', () => outside.end());
    outside.on('close', () => inside.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = () => {
    for (const socket of sockets) socket.destroy();
    state.swallowAnswers = false;
  };
  t.after(() => {
    cut();
    server.close();
  });
  const url = new URL(postgres.url);
  url.host = `127.0.0.1:${(server.address() as { port: number }).port}`;
  return { url: url.href, state, cut };
}

for (const kind of ['plain', 'keyed']) {
  test(`I14: a ${kind} commit whose verdict is lost is asked for, and the order is told as created`, async (t) => {
    const { instanceOf, count, fake } = await orderTables(t, postgres);
    const { url, state, cut } = await proxy(t);
    const { place } = instanceOf('a', { url });
    await place(newOrder(), trace);
    state.swallowAnswers = true;
    const placing = place(newOrder(), kind === 'keyed' ? withKey('k') : trace);
    await until('it is committed', async () => (await count('orders')) === 2);
    cut();
    assert.equal((await within('the answer', placing, 5_000)).isRepeat, false);
    await until('both are published', () => fake.keys().size === 2);
    await until('both are marked', async () => (await count('outbox')) === 0);
  });
}

const lockOrders = 'LOCK TABLE orders IN ACCESS EXCLUSIVE MODE';

test('a statement that the server ended is answered 503 in time, and no order exists', async (t) => {
  const { instanceOf, sql, count, connect } = await orderTables(t, postgres);
  const { place } = instanceOf('ended');
  const unlock = await holdTransaction(t, connect, lockOrders);
  const placing = assert.rejects(place(newOrder(), trace), {
    code: 'store_unavailable',
    status: 503,
  });
  const waiting =
    "SELECT pid FROM pg_stat_activity WHERE application_name LIKE '%-ended' AND wait_event_type = 'Lock'";
  await until('it waits for the lock', async () => (await sql(waiting)).length === 1, 1_500);
  await sql(waiting.replace('SELECT pid', 'SELECT pg_terminate_backend(pid)'));
  await unlock();
  await within('the answer', placing, 4_000);
  assert.equal(await count('orders'), 0);
});

test('an order without a key that waited too long for a lock is 503, not a conflict of keys', async (t) => {
  const { instanceOf, connect } = await orderTables(t, postgres);
  const unlock = await holdTransaction(t, connect, lockOrders);
  const placing = assert.rejects(instanceOf('a').place(newOrder(), trace), {
    code: 'store_unavailable',
  });
  await within('the answer', placing, 4_000);
  await unlock();
});

test('a database that is away is answered 503 within three seconds', async (t) => {
  const { instanceOf } = await orderTables(t, postgres);
  const { place } = instanceOf('a', { url: 'postgres://a:b@127.0.0.1:1/c' });
  await within(
    'the answer',
    assert.rejects(place(newOrder(), trace), { code: 'store_unavailable' }),
    3_000,
  );
});
