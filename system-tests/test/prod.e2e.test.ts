import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { call } from '@orders/lab/kit/http';
import { skipWithout } from '@orders/lab/kit/kafka-system';
import { localhostAuthority } from '@orders/lab/kit/localhost-certificate';
import { anOrder, post } from '@orders/lab/kit/orders';
import { runScript, startScript } from '@orders/lab/kit/program';
import { type SecuredSystem, startSecuredSystem } from '@orders/lab/kit/secured-system';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { until } from '@orders/lab/kit/until';
import pg from 'pg';
import { Agent, setGlobalDispatcher } from 'undici';

// Every call of this file trusts the services' own certificate, and no other.
const dispatcher = new Agent({ connect: { ca: localhostAuthority() } });
setGlobalDispatcher(dispatcher);
after(() => dispatcher.close());

const system = (await startSecuredSystem()) as SecuredSystem;
const options = skipWithout(system);
type Key = Awaited<ReturnType<SecuredSystem['createKey']>>;
let keys: Record<'shop' | 'otherShop' | 'reader' | 'operator', Key>;
const secretsOf = () => [
  ...[system.roles, system.databases].flatMap(({ orders, fulfillment }) =>
    [orders, fulfillment].map((url) => new URL(url).password),
  ),
  ...Object.values(keys ?? {}).map(({ key }) => key.slice(17)),
];

test('a service whose schema nobody has made says what to run, and ends', options, async () => {
  await system.createKey('first', 'operate');
  for (const { script, env } of [
    { script: 'order-service', env: system.orderEnv },
    { script: 'fulfillment-service', env: system.fulfillmentEnv },
  ]) {
    const { code, output } = await runScript(script, { directory: system.directory, env });
    assert.equal(code, 1, output);
    assert.match(output, new RegExp(`no schema \\w+: run npm run migrate:${script}`));
    for (const secret of secretsOf()) assert.ok(!output.includes(secret));
  }
});

test(
  'migrated by its owner, the system takes an order over HTTPS to Shipped',
  options,
  async () => {
    const { directory, databases, roles, orderService, fulfillmentService } = system;
    for (const [script, env] of [
      [
        'order-service',
        { ORDERS_DATABASE_URL: roles.orders, ORDERS_MIGRATION_DATABASE_URL: databases.orders },
      ],
      [
        'fulfillment-service',
        {
          FULFILLMENT_DATABASE_URL: roles.fulfillment,
          FULFILLMENT_MIGRATION_DATABASE_URL: databases.fulfillment,
        },
      ],
    ] as const) {
      const { code, output } = await runScript(`migrate:${script}`, {
        directory,
        env: { PROFILE: 'prod', ...env },
      });
      assert.equal(code, 0, output);
      for (const secret of secretsOf()) assert.ok(!output.includes(secret));
    }
    keys = {
      shop: await system.createKey('shop', 'orders:write,orders:read'),
      otherShop: await system.createKey('other shop', 'orders:write,orders:read'),
      reader: await system.createKey('reader', 'orders:read'),
      operator: await system.createKey('operator', 'operate'),
    };
    await Promise.all([orderService.start(), fulfillmentService.start()]);
    const order = await untilStatus(await placed(keys.shop), 'Shipped');
    assert.equal((await readLedger(system.provider.url)).get(order)?.bookings, 1);
    await assert.rejects(call('GET', `${orderService.url.replace('https:', 'http:')}/health/live`));
  },
);

test('who has no key is answered 401, and whose key lacks the scope 403', options, async () => {
  const { url } = system.orderService;
  const operators = system.fulfillmentService.url;
  const { shop, reader, operator } = keys;
  assert.equal((await post(url, anOrder())).status, 401);
  assert.equal((await call('GET', `${url}/api/orders?key=${reader.key}`)).status, 401);
  assert.equal((await call('HEAD', `${url}/api/orders`)).status, 401);
  assert.equal((await post(url, anOrder(), reader.headers)).status, 403);
  assert.equal((await post(url, anOrder(), operator.headers)).status, 403);
  assert.equal((await call('GET', `${url}/api/orders`, { headers: reader.headers })).status, 200);
  for (const base of [url, operators]) {
    assert.equal((await call('GET', `${base}/metrics`)).status, 401);
    assert.equal((await call('GET', `${base}/metrics`, { headers: shop.headers })).status, 403);
    assert.equal((await call('GET', `${base}/metrics`, { headers: operator.headers })).status, 200);
  }
  assert.equal(
    (await call('GET', `${operators}/api/fulfillments`, { headers: shop.headers })).status,
    403,
  );
});

test(
  'two callers with the same Idempotency-Key have placed two orders, one caller one',
  options,
  async () => {
    const placeWith = (key: Key) => placed(key, { 'idempotency-key': 'order-4711' });
    const first = await placeWith(keys.shop);
    assert.equal(await placeWith(keys.shop), first);
    const other = await placeWith(keys.otherShop);
    assert.notEqual(other, first);
    await Promise.all([untilStatus(first, 'Shipped'), untilStatus(other, 'Shipped')]);
  },
);

test(
  "the services' roles do all that operators ask for, and the log tells whose key it was",
  options,
  async () => {
    const { orderService, fulfillmentService } = system;
    const headers = { ...keys.operator.headers, 'x-operator': 'ada' };
    const change = async (method: string, url: string, json: unknown) => {
      const { status, text } = await call(method, url, { headers, json });
      assert.equal(status, 200, text);
    };
    const breaker = `${fulfillmentService.url}/api/breakers/shipping`;
    await change('PUT', breaker, { mode: 'forced_open', reason: 'a test' });
    await until('the instance to follow', 10, async () => {
      const { body } = await call<{ instances: { state: string }[] }>('GET', breaker, { headers });
      return body.instances.some(({ state }) => state === 'open');
    });
    const orderId = await placed(keys.shop);
    const cancelled = await call('POST', `${orderService.url}/api/orders/${orderId}/cancel`, {
      headers: keys.shop.headers,
    });
    assert.equal(cancelled.status, 202, cancelled.text);
    await untilStatus(orderId, 'Cancelled');
    await change('PUT', breaker, { mode: 'automatic' });
    for (const { url } of [orderService, fulfillmentService]) {
      await change('POST', `${url}/api/events/republish`, {
        orderIds: [orderId],
        reason: 'a test',
      });
      for (const path of ['/api/operator-actions', '/api/stuck', '/api/dead-letters']) {
        assert.equal((await call('GET', url + path, { headers })).status, 200, path);
      }
    }
    const told = fulfillmentService.program.lines.filter((line) =>
      line.includes('operator request'),
    );
    assert.equal(told.length, 3);
    for (const line of told)
      assert.ok(line.includes(keys.operator.id) && line.includes('"operator":"ada"'), line);
  },
);

test(
  "a service's role can create and change no table, of its own database or of another's",
  options,
  async (t) => {
    for (const [name, table] of [
      ['orders', 'orders'],
      ['fulfillment', 'fulfillments'],
    ] as const) {
      const client = new pg.Client({ connectionString: system.roles[name] });
      await client.connect();
      t.after(() => client.end());
      for (const statement of [
        `CREATE TABLE ${name}.x (id integer)`,
        'CREATE TABLE public.x (id integer)',
        'CREATE TEMP TABLE x (id integer)',
        'CREATE SCHEMA x',
        `DROP TABLE ${name}.${table}`,
        `TRUNCATE ${name}.${table}`,
        `ALTER TABLE ${name}.${table} ADD COLUMN x integer`,
        `DELETE FROM ${name}.migrations`,
      ]) {
        await assert.rejects(client.query(statement), { code: '42501' }, statement);
      }
    }
    const stranger = new URL(system.roles.orders);
    stranger.pathname = '/fulfillment';
    await assert.rejects(new pg.Client({ connectionString: stranger.href }).connect(), {
      code: '42501',
    });
  },
);

test(
  'a key that is revoked is refused within two seconds, and its streams end',
  options,
  async () => {
    const { url } = system.orderService;
    const { id, headers } = await system.createKey('leaver', 'orders:read');
    const statusOf = async () =>
      (await call('GET', `${url}/api/orders?limit=1`, { headers })).status;
    await until('the new key is taken', 10, async () => (await statusOf()) === 200);
    const stream = call('GET', `${url}/api/orders/events`, { headers, timeoutMs: 40_000 });
    await system.revokeKey(id);
    await until('the key is refused', 2.5, async () => (await statusOf()) === 401);
    assert.equal((await stream).status, 200);
  },
);

test('npm run start:kafka runs the same with TLS in prod', options, async (t) => {
  const { orderService, fulfillmentService, orderEnv, fulfillmentEnv, directory } = system;
  await Promise.all([orderService.stop(), fulfillmentService.stop()]);
  // An empty variable counts as unset: each service has a group of its own.
  const env = {
    ...orderEnv,
    ...fulfillmentEnv,
    KAFKA_GROUP_ID: '',
    DATA_DIR: `${directory}/start-kafka`,
  };
  const program = startScript('start:kafka', { directory, env });
  t.after(() => program.exit ?? sendSignal(program.pid, 'SIGTERM'));
  const isReady = (line: string) => line.includes('"start-kafka"') && line.includes('"ready"');
  await until('it is ready or gone', 90, () => program.exit ?? program.lines.some(isReady));
  assert.equal(program.exit, undefined, program.tail());
  await untilStatus(await placed(keys.shop), 'Shipped');
  sendSignal(program.pid, 'SIGTERM');
  assert.equal((await program.untilExit(40)).code, 0, program.tail());
  for (const secret of secretsOf()) assert.ok(!program.lines.join('\n').includes(secret));
});

test('no secret stands in what the services have written', options, () => {
  for (const { program } of [system.orderService, system.fulfillmentService]) {
    const written = program.lines.join('\n');
    for (const secret of secretsOf()) assert.ok(!written.includes(secret));
  }
});

async function placed(key: Key, headers: Record<string, string> = {}): Promise<string> {
  const { status, text, body } = await post(system.orderService.url, anOrder(), {
    ...key.headers,
    ...headers,
  });
  assert.equal(status, 201, text);
  return body.orderId;
}

async function untilStatus(orderId: string, wanted: string): Promise<string> {
  const url = `${system.orderService.url}/api/orders/${orderId}`;
  const { headers } = keys.reader;
  const statusOf = async () =>
    (await call<{ status: string }>('GET', url, { headers })).body.status;
  await until(`the order to be ${wanted}`, 40, async () => (await statusOf()) === wanted);
  return orderId;
}
