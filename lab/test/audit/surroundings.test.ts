import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AuditError } from '../../src/audit/report.ts';
import { findSystem } from '../../src/audit/surroundings.ts';

const given = { ORDERS_DATABASE_URL: 'postgres://o', FULFILLMENT_DATABASE_URL: 'postgres://f' };

/** A data directory as a running system leaves it; `pid` is of PostgreSQL and the broker. */
async function dataDirectory(t: TestContext, pid: number | null): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orders-audit-'));
  t.after(() => rm(folder, { recursive: true }));
  const urls = {
    orders: 'postgres://embedded/orders',
    fulfillment: 'postgres://embedded/fulfillment',
  };
  await writeFile(join(folder, 'postgres.json'), JSON.stringify({ pid, urls }));
  await writeFile(
    join(folder, 'kafka.json'),
    JSON.stringify({ pid, bootstrapServers: '127.0.0.1:7777' }),
  );
  return folder;
}

test('what the variables name is looked at, with the defaults of the services', () => {
  const { ordersUrl, fulfillmentUrl, shippingUrl, kafka } = findSystem(
    { ...given, DATA_DIR: '/nowhere' },
    undefined,
  );
  assert.deepEqual(
    [ordersUrl, fulfillmentUrl, shippingUrl, kafka],
    ['postgres://o', 'postgres://f', 'http://127.0.0.1:5002', undefined],
  );
});

test('a running system is found in its data directory, with its broker', async (t) => {
  const env = { DATA_DIR: await dataDirectory(t, process.pid), SHIPPING_PROVIDER_PORT: '7' };
  const found = findSystem(env, undefined);
  assert.equal(found.ordersUrl, 'postgres://embedded/orders');
  assert.equal(found.shippingUrl, 'http://127.0.0.1:7');
  assert.deepEqual(found.kafka?.connection.bootstrapBrokers, ['127.0.0.1:7777']);
  assert.equal(findSystem(env, 'embedded').kafka, undefined);
});

test('a system that has ended is not taken for one that runs', async (t) => {
  const DATA_DIR = await dataDirectory(t, null);
  assert.throws(() => findSystem({ DATA_DIR }, undefined), AuditError);
  assert.equal(findSystem({ ...given, DATA_DIR }, undefined).kafka, undefined);
});

test('topics, groups and credentials of Kafka are those of the services', () => {
  const env = {
    ...given,
    KAFKA_BOOTSTRAP_SERVERS: 'a:1,b:2',
    KAFKA_ORDER_EVENTS_TOPIC: 'orders-of-ours',
    KAFKA_SASL_MECHANISM: 'PLAIN',
    KAFKA_SASL_USERNAME: 'user',
    KAFKA_SASL_PASSWORD: 'secret',
    KAFKA_SSL: 'true',
  };
  const { kafka } = findSystem(env, undefined, { order: 'one-group' });
  assert.deepEqual(kafka?.orderEvents, { topic: 'orders-of-ours', group: 'fulfillment-service' });
  assert.deepEqual(kafka?.fulfillmentEvents, { topic: 'fulfillment-events', group: 'one-group' });
  assert.deepEqual(kafka?.connection.sasl, {
    mechanism: 'PLAIN',
    username: 'user',
    password: 'secret',
  });
  assert.equal(kafka?.connection.tlsServerName, true);
});
