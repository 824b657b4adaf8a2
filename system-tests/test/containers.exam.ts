import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startComposeSystem } from '../src/compose-system.ts';
import { call, type Problem } from '../src/http.ts';
import { percentile, type SeenAnswer, startOrderLoad } from '../src/order-load.ts';
import { startOrderWatch } from '../src/order-watch.ts';
import { anOrder, place, readOrders, untilOrder } from '../src/orders.ts';
import { readRealOrders } from '../src/real-orders.ts';
import { reconcile } from '../src/reconcile.ts';
import { readLedger } from '../src/shipping-provider.ts';
import { elapse, until } from '../src/until.ts';

const perSecond = Number(process.env.CONTAINERS_RATE ?? 25);
const kafkaAwayMs = 20_000;
const downMs = 4_000;
const say = (text: string) => process.stdout.write(`${text}\n`);
const began = performance.now();

const system = await startComposeSystem({
  SHIPPING_TIMEOUT_SECONDS: '3',
  SHIPPING_BACKOFF_MS: '200',
  SHIPPING_BACKOFF_MAX_MS: '2000',
  SHIPPING_ATTEMPTS_MAX: '50',
  // Without the provider's own memory of keys every second booking would show.
  SIMULATION_LATENCY_MS: '40',
  SIMULATION_LATENCY_JITTER_MS: '120',
  SIMULATION_LOST_RESPONSE_RATE: '0.02',
  SIMULATION_DEDUPE: 'false',
});
say(`built, up and healthy in ${Math.round(performance.now() - began)} ms`);
const options = system === undefined ? { skip: 'there is no Docker engine' } : { timeout: 1_200_000 };

test('An order placed through the load balancer is shipped, and the pages of both services load', options, async () => {
  assert.ok(system);
  const placed = performance.now();
  const orderId = await place(system.url, anOrder());
  await untilOrder(system.url, orderId, 'Shipped', 30);
  say(`the first order was Shipped after ${Math.round(performance.now() - placed)} ms`);
  for (const url of [system.url, system.fulfillmentUrl]) {
    const page = await call('GET', `${url}/docs/`);
    assert.equal(page.status, 200);
    assert.match(page.text, /swagger-ui/);
    assert.equal((await call('GET', `${url}/docs/static/swagger-ui-bundle.js`)).status, 200);
  }
});

test(
  'What is too large is refused in the same form, whether the service refuses it or the load balancer',
  options,
  async () => {
    assert.ok(system);
    for (const bytes of [1_100_000, 3_000_000]) {
      const headers = { 'content-type': 'application/json' };
      const answer = await call('POST', `${system.url}/api/orders`, { body: Buffer.alloc(bytes, 'a'), headers });
      assert.equal(answer.status, 413, answer.text);
      assert.equal(answer.body.code, 'body_too_large');
    }
  },
);

test('While no instance runs, the load balancer answers 503 as a problem document', options, async () => {
  assert.ok(system);
  await system.compose('stop', 'order-service');
  const { status, headers, body } = await call<Problem>('GET', `${system.url}/api/orders`);
  assert.deepEqual([status, body.status, body.code, headers['retry-after']], [503, 503, 'no_upstream', '1']);
  assert.equal(headers['content-type'], 'application/problem+json');
  await system.compose('start', 'order-service');
  await until(
    'orders to be taken again',
    30,
    async () => (await call('GET', `${system.url}/health/ready`)).status === 200,
  );
});

test(
  'With three instances of each service, killing some under load and stopping Kafka loses and doubles nothing',
  options,
  async (t) => {
    assert.ok(system);
    const { url } = system;
    const others = new Set((await readOrders(url)).map(({ orderId }) => orderId));
    let phase = 'scaling to 3 and 3';
    const answers: (SeenAnswer & { phase: string })[] = [];
    const load = startOrderLoad({
      url,
      orders: await readRealOrders(),
      perSecond,
      name: 'containers',
      onAnswer: (answer) => answers.push({ ...answer, phase }),
    });
    const watch = startOrderWatch(url);
    t.after(() => Promise.all([load.stop(), watch.stop()]));
    const during = async (name: string, work: () => Promise<unknown>) => {
      phase = name;
      const from = performance.now();
      await work();
      const its = answers.filter((answer) => answer.phase === name);
      const failed = its.filter(({ status }) => status !== 201);
      const p95 = Math.round(percentile(its, 0.95));
      const ms = Math.round(performance.now() - from);
      say(`${name}: ${ms} ms, ${its.length} answers, ${failed.length} of them not 201, p95 ${p95} ms`);
    };
    await during(phase, () => system.scale(3, 3));
    for (const service of ['order-service', 'fulfillment-service'] as const) {
      const [first = '', second = ''] = await system.containers(service);
      await during(`a ${service} killed for ${downMs} ms`, async () => {
        await system.kill(first);
        await elapse(downMs);
        await system.scale(3, 3);
      });
      await during(`a ${service} crashed, started again by Docker`, () => system.crash(second));
    }
    await during(`Kafka stopped for ${kafkaAwayMs} ms`, async () => {
      await system.compose('stop', 'kafka');
      await elapse(kafkaAwayMs);
      await system.compose('start', 'kafka');
    });
    await load.stop();
    await during('everything shipped', () =>
      until(
        'all orders to be Shipped',
        120,
        async () => {
          const open = (await readOrders(url)).filter(({ status }) => status !== 'Shipped');
          if (open.length > 0) throw new Error(`${open.length} are open`);
          return true;
        },
        500,
      ),
    );
    await watch.stop();
    const orders = (await readOrders(url)).filter(({ orderId }) => !others.has(orderId));
    const ledger = new Map([...(await readLedger(system.providerUrl))].filter(([reference]) => !others.has(reference)));
    const again = [...ledger.values()].filter(({ posts }) => posts > 1).length;
    say(
      `${load.sent.length} sent, ${load.accepted.length} accepted, ${orders.length} orders, ${again} posted more than once`,
    );
    const nothing = { lost: [], doubled: [], stuck: [], orphans: [] };
    assert.deepEqual(reconcile(load.sent, orders, ledger), nothing);
    assert.deepEqual(watch.stepsBack, []);
    assert.equal(load.accepted.length, load.sent.length);
  },
);
