import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ComposeSystem, startComposeSystem } from '@orders/lab/kit/compose-system';
import { type Answer, call, type Problem } from '@orders/lab/kit/http';
import { startOrderWatch } from '@orders/lab/kit/order-watch';
import { anOrder, place, readOrders, untilOrder } from '@orders/lab/kit/orders';
import { reconcile } from '@orders/lab/kit/reconcile';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { elapse, until } from '@orders/lab/kit/until';
import {
  type OrderLoad,
  percentile,
  type SeenAnswer,
  startOrderLoad,
} from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';

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
if (system !== undefined)
  say(`built, up and healthy in ${Math.round(performance.now() - began)} ms`);
const options =
  system === undefined ? { skip: 'there is no Docker engine' } : { timeout: 1_200_000 };

test(
  'An order placed through the load balancer is shipped, and the pages of both services load',
  options,
  async () => {
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
  },
);

test(
  'The load balancer carries a body of 1 MiB and refuses a larger one as the service would',
  options,
  async () => {
    assert.ok(system);
    const headers = { 'content-type': 'application/json' };
    const send = (bytes: number): Promise<Answer<Problem>> =>
      call('POST', `${system.url}/api/orders`, { body: Buffer.alloc(bytes, 'a'), headers });
    const [carried, refused] = [await send(1_048_576), await send(1_048_577)];
    assert.deepEqual([carried.status, carried.body.code], [400, 'invalid_json']);
    assert.deepEqual([refused.status, refused.body.code], [413, 'body_too_large']);
  },
);

test(
  'While no instance runs, the load balancer answers 503 as a problem document',
  options,
  async () => {
    assert.ok(system);
    await system.compose('stop', 'order-service');
    const { status, headers, body } = await call<Problem>('GET', `${system.url}/api/orders`);
    assert.deepEqual(
      [status, body.status, body.code, headers['retry-after']],
      [503, 503, 'no_upstream', '1'],
    );
    assert.equal(headers['content-type'], 'application/problem+json');
    await system.compose('start', 'order-service');
    await until(
      'orders to be taken again',
      30,
      async () => (await call('GET', `${system.url}/health/ready`)).status === 200,
    );
  },
);

test(
  'With three instances of each service, killing some under load and stopping Kafka loses and doubles nothing',
  options,
  async (t) => {
    assert.ok(system);
    const { url, scale, containers, kill, crash, compose } = system;
    const others = new Set((await readOrders(url)).map(({ orderId }) => orderId));
    const { onAnswer, during } = createPhases();
    const load = startOrderLoad({
      url,
      orders: await readRealOrders(),
      perSecond,
      name: 'containers',
      onAnswer,
    });
    const watch = startOrderWatch(url);
    t.after(() => Promise.all([load.stop(), watch.stop()]));
    await during('scaled to 3 and 3', () => scale(3, 3));
    for (const service of ['order-service', 'fulfillment-service'] as const) {
      const [first = '', second = ''] = await containers(service);
      await during(`one ${service} killed, and brought back after ${downMs} ms`, async () => {
        await kill(first);
        await elapse(downMs);
        await scale(3, 3);
      });
      await during(`one ${service} crashed, and started again by Docker`, () => crash(second));
    }
    await during(`Kafka stopped for ${kafkaAwayMs} ms`, async () => {
      await compose('stop', 'kafka');
      await elapse(kafkaAwayMs);
      await compose('start', 'kafka');
    });
    await during('the same load until Kafka is healthy', () => scale(3, 3));
    await load.stop();
    await untilAllShipped(url);
    await watch.stop();
    await assertShippedOnce(system, load, others);
    // Rejects where it finds anything.
    const audited = await compose(
      'run',
      '--rm',
      '--build',
      'audit',
      '--grace',
      '0',
      '--stuck-after',
      '0',
    );
    say(`the audit: ${audited.trim().split('\n').at(-1)}`);
    assert.deepEqual(watch.stepsBack, []);
  },
);

/** Tells for each phase of a load what its answers were. */
function createPhases() {
  let answers: SeenAnswer[] = [];
  const onAnswer = (answer: SeenAnswer) => answers.push(answer);
  const during = async (name: string, work: () => Promise<unknown>) => {
    answers = [];
    const from = performance.now();
    await work();
    const ms = Math.round(performance.now() - from);
    const failed = answers.filter(({ status }) => status !== 201).length;
    const p95 = Math.round(percentile(answers, 0.95));
    say(
      `${name}: took ${ms} ms, ${answers.length} answers, ${failed} of them not 201, p95 ${p95} ms`,
    );
  };
  return { onAnswer, during };
}

async function untilAllShipped(url: string): Promise<void> {
  const from = performance.now();
  const areAllShipped = async () => {
    const open = (await readOrders(url)).filter(({ status }) => status !== 'Shipped');
    if (open.length > 0) throw new Error(`${open.length} are open`);
    return true;
  };
  await until('all orders to be Shipped', 120, areAllShipped, 500);
  say(`everything was Shipped ${Math.round(performance.now() - from)} ms after the last order`);
}

/** `others`: orders that are not of this load. */
async function assertShippedOnce(
  { url, providerUrl }: ComposeSystem,
  load: OrderLoad,
  others: ReadonlySet<string>,
) {
  const orders = (await readOrders(url)).filter(({ orderId }) => !others.has(orderId));
  const ledger = new Map(
    [...(await readLedger(providerUrl))].filter(([reference]) => !others.has(reference)),
  );
  const again = [...ledger.values()].filter(({ posts }) => posts > 1).length;
  const counts = `${load.sent.length} sent, ${load.accepted.length} accepted, ${orders.length} orders`;
  say(`${counts}, ${ledger.size} at the provider, ${again} of them posted more than once`);
  assert.deepEqual(reconcile(load.sent, orders, ledger), {
    lost: [],
    doubled: [],
    stuck: [],
    orphans: [],
  });
  assert.equal(load.accepted.length, load.sent.length);
}
