import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '@orders/lab/kit/http';
import { anOrder, anOrderOf, place, untilOrder } from '@orders/lab/kit/orders';
import { startSystem } from '@orders/lab/kit/started-system';

const system = await startSystem();
const { url, fulfillmentUrl } = system;
const services = { 'Order Service': url, 'Fulfillment Service': fulfillmentUrl };

type OpenApi = {
  openapi: string;
  info: { title: string };
  paths: Record<string, Record<string, { responses: object }>>;
};
type AsyncApi = {
  asyncapi: string;
  channels: Record<string, { address?: string }>;
  operations: object;
};

/** Values of a metric by its labels, `{}` for none. */
function samplesOf(text: string, name: string): number[] {
  const lines = text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
  return lines.map((line) => Number(line.slice(line.lastIndexOf(' ') + 1)));
}

for (const [name, base] of Object.entries(services)) {
  test(`The ${name} is live and ready`, async () => {
    for (const probe of ['live', 'ready'])
      assert.equal((await call('GET', `${base}/health/${probe}`)).status, 200, probe);
  });

  test(`The ${name} describes itself by OpenAPI 3.1 and AsyncAPI 3`, async () => {
    const openapi = await call<OpenApi>('GET', `${base}/openapi.json`);
    assert.equal(openapi.status, 200);
    assert.match(openapi.body.openapi, /^3\.1\./);
    const asyncapi = await call<AsyncApi>('GET', `${base}/asyncapi.json`);
    assert.match(asyncapi.body.asyncapi, /^3\./);
    for (const topic of ['order-events', 'fulfillment-events'])
      assert.ok(asyncapi.text.includes(topic), topic);
  });

  test(`The ${name} has a documentation page that loads nothing from elsewhere`, async () => {
    let page = await call('GET', `${base}/docs`);
    if (page.status >= 300 && page.status < 400)
      page = await call('GET', new URL(String(page.headers.location), `${base}/docs`).href);
    assert.equal(page.status, 200);
    assert.match(String(page.headers['content-type']), /text\/html/);
    const loaded = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(
      ([, address]) => new URL(String(address), `${base}/docs/`),
    );
    for (const address of loaded) {
      assert.equal(address.origin, base, address.href);
      assert.ok((await call('GET', address.href)).status < 400, address.href);
    }
  });
}

test('The OpenAPI document has the routes of the contract', async () => {
  const { paths } = (await call<OpenApi>('GET', `${url}/openapi.json`)).body;
  for (const [path, methods] of Object.entries({
    '/api/orders': ['get', 'post'],
    '/api/orders/{orderId}': ['get'],
  })) {
    for (const method of methods)
      assert.ok(paths[path]?.[method], `${method} ${path} is not described`);
  }
});

test('The OpenAPI document tells how placing an order can be refused', async () => {
  const { paths } = (await call<OpenApi>('GET', `${url}/openapi.json`)).body;
  const described = Object.keys(paths['/api/orders']?.post?.responses ?? {});
  const missing = ['201', '400', '409', '413', '415', '422', '503'].filter(
    (status) => !described.includes(status),
  );
  assert.deepEqual(missing, []);
});

test('The metrics have the names of the contract and count what happened', async () => {
  const orderIds = await Promise.all(Array.from({ length: 5 }, () => place(url, anOrder())));
  for (const orderId of orderIds) await untilOrder(url, orderId, 'Shipped');
  await untilOrder(url, await place(url, anOrderOf('TEST-REFUSE')), 'Failed');
  const [order = '', fulfillment = ''] = await Promise.all(
    [url, fulfillmentUrl].map(async (base) => {
      const { status, headers, text } = await call('GET', `${base}/metrics`);
      assert.equal(status, 200);
      assert.match(String(headers['content-type']), /^text\/plain/);
      return text;
    }),
  );
  assert.deepEqual(samplesOf(order, 'orders_created_total'), [6]);
  assert.deepEqual(samplesOf(order, 'order_create_duration_seconds_count').length, 1);
  assert.deepEqual(samplesOf(order, 'order_created_to_shipped_seconds_count'), [5]);
  assert.deepEqual(
    samplesOf(order, 'outbox_unpublished').every((value) => value === 0),
    true,
  );
  for (const name of [
    'order_publish_duration_seconds_count',
    'outbox_unpublished',
    'outbox_oldest_unpublished_seconds',
  ]) {
    assert.ok(samplesOf(order, name).length > 0, `the Order Service has no ${name}`);
  }
  const attempts = samplesOf(fulfillment, 'shipping_attempts_total').reduce(
    (sum, value) => sum + value,
    0,
  );
  assert.equal(attempts, 6);
  for (const name of [
    'shipping_attempt_duration_seconds_count',
    'order_pickup_seconds_count',
    'circuit_breaker_state',
    'fulfillments',
  ]) {
    assert.ok(samplesOf(fulfillment, name).length > 0, `the Fulfillment Service has no ${name}`);
  }
  assert.deepEqual(samplesOf(fulfillment, 'order_pickup_seconds_count'), [6]);
});

test('While PostgreSQL is away a service is live but not ready, and says why without a word of the driver', async () => {
  await system.kill('postgres');
  for (const [name, base] of Object.entries(services)) {
    const ready = await call('GET', `${base}/health/ready`);
    const live = await call('GET', `${base}/health/live`);
    assert.equal(live.status, 200, name);
    // It may have come back already: recovery can be quicker than the question.
    if (ready.status !== 200)
      assert.deepEqual(
        [ready.status, ready.body.code],
        [503, 'store_unavailable'],
        `${name}: ${ready.text}`,
      );
  }
  await system.untilReady(30);
});
