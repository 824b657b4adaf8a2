import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { call } from '@orders/lab/kit/http';
import { skipWithout, startKafkaSystem } from '@orders/lab/kit/kafka-system';
import { createOperator } from '@orders/lab/kit/operator';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { residentMb, showsUsage } from '@orders/lab/kit/process-table';
import type { ServiceProcess } from '@orders/lab/kit/service-process';
import { simulate } from '@orders/lab/kit/shipping-provider';
import { until } from '@orders/lab/kit/until';

/** What compose.yaml gives each service. */
const residentMaxMb = 384;
const orders = 300;
const triesMax = 60;

const system = await startKafkaSystem();
const options = showsUsage ? skipWithout(system) : { skip: 'this platform has no /proc' };

/** An order of 0.8 MB; each letter is written as six. */
const productIds = Array.from({ length: 1_000 }, (_, index) => `${index}`.padEnd(128, '漢'));
const body = JSON.stringify(
  anOrder({ items: productIds.map((productId) => ({ productId, quantity: 1 })) }),
).replaceAll('漢', '\\u6f22');

/** Places it as often as there is no room for it; with how often that was. */
async function placeLarge(url: string): Promise<{ orderId: string; refused: number }> {
  const headers = { 'content-type': 'application/json' };
  for (let refused = 0; refused < triesMax; refused += 1) {
    const answer = await call<{ orderId: string; code: string }>('POST', `${url}/api/orders`, {
      body,
      headers,
      timeoutMs: 60_000,
    });
    if (answer.status === 201) return { orderId: answer.body.orderId, refused };
    assert.equal(answer.status, 503, answer.text);
    assert.equal(answer.body.code, 'overloaded');
    await pause(Number(answer.headers['retry-after']) * 1_000);
  }
  throw new Error(`no room in ${triesMax} tries`);
}

const placeMany = (url: string) =>
  Promise.all(Array.from({ length: orders }, () => placeLarge(url)));

/** Asks for each order and reads nothing of what is answered. */
async function readLazily(url: string, orderIds: string[]): Promise<Socket[]> {
  const { hostname, port } = new URL(url);
  return await Promise.all(
    orderIds.map(async (orderId) => {
      const socket = connect(Number(port), hostname);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      socket.pause();
      socket.write(`GET /api/orders/${orderId} HTTP/1.1\r\nHost: x\r\n\r\n`);
      return socket;
    }),
  );
}

/** A busy database may answer 503, which is safe to repeat; as often as an operator would. */
async function republish(base: string, orderIds: string[]): Promise<void> {
  await until('a republish to be taken', 60, async () => {
    const { status, text } = await call('POST', `${base}/api/events/republish`, {
      json: { orderIds, reason: 'a test', ratePerSecond: 1000 },
      headers: { 'x-operator': 'ann' },
      timeoutMs: 60_000,
    });
    assert.ok(status === 200 || status === 503, text);
    return status === 200;
  });
}

/** No process had more than its container has. */
function assertPeaks(t: TestContext, services: ServiceProcess[]): void {
  const peaks = services.map(({ name, program }) => ({
    name,
    mb: Math.round(residentMb(program.pid)?.peak ?? Number.NaN),
  }));
  t.diagnostic(`most memory: ${peaks.map(({ name, mb }) => `${name} ${mb} MB`).join(', ')}`);
  for (const { name, mb } of peaks) assert.ok(mb < residentMaxMb, `${name} had ${mb} MB`);
}

test(
  `${orders} orders of 0.8 MB at once, with a slow provider: each service stays below ${residentMaxMb} MB, and what finds no room is 503 with Retry-After`,
  options,
  async (t) => {
    assert.ok(system);
    const { url, provider, services } = system;
    assert.ok(body.length > 760_000 && body.length < 1_048_576, `${body.length} bytes`);
    await simulate(provider.url, { latencyMs: 1_000 });
    const placing = placeMany(url);
    // Everyday orders go their way beside them.
    const small = await place(url, anOrder());
    const placed = await placing;
    await untilOrder(url, small, 'Shipped', 60);
    for (const { orderId } of placed.slice(-3)) await untilOrder(url, orderId, 'Shipped', 60);
    const refused = placed.reduce((sum, one) => sum + one.refused, 0);
    t.diagnostic(`refused ${refused} times`);
    assert.ok(refused > 0);
    assertPeaks(t, services);
  },
);

test(
  `${orders} orders of 0.8 MB that wait behind the breaker are read, followed, published again and let go at once within the same memory`,
  options,
  async (t) => {
    assert.ok(system);
    const { url, provider, services, fulfillmentServices } = system;
    const operators = fulfillmentServices[0]?.url ?? '';
    await simulate(provider.url, { latencyMs: 0 });
    const quick = await Promise.all(Array.from({ length: 200 }, () => place(url, anOrder())));
    for (const orderId of quick) await untilOrder(url, orderId, 'Shipped');
    const operator = createOperator(operators);
    await operator.force('forced_open');
    const ids = (await placeMany(url)).map(({ orderId }) => orderId);
    for (const orderId of ids.slice(-3)) await untilOrder(url, orderId, 'Retrying', 60);
    assertPeaks(t, services);
    const sockets = await readLazily(url, ids);
    t.after(() => sockets.map((socket) => socket.destroy()));
    const followers = ids.map((orderId) =>
      call('GET', `${url}/api/orders/${orderId}?waitFor=Shipped&timeoutSeconds=30`, {
        timeoutMs: 60_000,
      }),
    );
    assertPeaks(t, services);
    for (const base of [url, operators]) {
      await republish(base, ids);
      assertPeaks(t, services);
    }
    await operator.force('automatic');
    for (const orderId of ids) await untilOrder(url, orderId, 'Shipped', 60);
    const statuses = new Set((await Promise.all(followers)).map(({ status }) => status));
    assert.ok(statuses.has(200) && statuses.isSubsetOf(new Set([200, 503])), [...statuses].join());
    assertPeaks(t, services);
  },
);
