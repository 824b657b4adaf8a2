// Two instances of each service on one broker. Counts: KAFKA_ORDERS accepted orders in the kill
// test (default 1,500; the full exam has 5000), KAFKA_RATE orders per second (default 40).
// REAL_ORDERS names a file of real orders; SEED repeats a run.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { partitionsOfMembers } from '@orders/lab/kit/kafka-records';
import { type KafkaSystem, skipWithout, startKafkaSystem } from '@orders/lab/kit/kafka-system';
import { startOrderWatch } from '@orders/lab/kit/order-watch';
import { readOrders } from '@orders/lab/kit/orders';
import { readPickups } from '@orders/lab/kit/pickups';
import { createRandom, seedOfRun } from '@orders/lab/kit/random';
import { reconcile } from '@orders/lab/kit/reconcile';
import type { ServiceProcess } from '@orders/lab/kit/service-process';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { elapse, until } from '@orders/lab/kit/until';
import {
  type OrderLoad,
  percentile,
  type SeenAnswer,
  startOrderLoad,
} from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';

const ordersMin = Number(process.env.KAFKA_ORDERS ?? 1_500);
const perSecond = Number(process.env.KAFKA_RATE ?? 40);
const partitions = 12;
const takeoverMs = 10_000;
const seed = seedOfRun();
const say = (text: string) => process.stdout.write(`${text}\n`);

const system = await startKafkaSystem({
  orderServices: 2,
  fulfillmentServices: 2,
  env: {
    SHIPPING_TIMEOUT_SECONDS: '3',
    SHIPPING_BACKOFF_MS: '200',
    SHIPPING_BACKOFF_MAX_MS: '2000',
    SHIPPING_ATTEMPTS_MAX: '50',
  },
  // Without the provider's own memory of keys every second booking would show.
  providerEnv: {
    SIMULATION_LATENCY_MS: '40',
    SIMULATION_LATENCY_JITTER_MS: '120',
    SIMULATION_LOST_RESPONSE_RATE: '0.02',
    SIMULATION_DEDUPE: 'false',
    SIMULATION_SEED: String(seed % 1_000_000),
  },
});
const options = skipWithout(system);

test(
  'Killing each of two order and two fulfillment services under load loses and doubles nothing, and the group takes over in 10 s',
  options,
  async (t) => {
    assert.ok(system);
    say(`instances: KAFKA_ORDERS=${ordersMin} KAFKA_RATE=${perSecond} SEED=${seed}`);
    const { kafka, names, services, urls, url } = system;
    await untilAllShared(system);
    const watch = startOrderWatch(url);
    const load = startOrderLoad({
      url: urls,
      orders: await readRealOrders(),
      perSecond,
      name: `kill ${seed}`,
      keylessEvery: 5,
    });
    t.after(() => Promise.all([load.stop(), watch.stop()]));
    const random = createRandom(seed);
    const takeovers: { from: number; to: number }[] = [];
    for (const service of random.shuffled(services)) {
      await elapse(random.between(2_000, 3_000));
      const from = Date.now();
      await service.kill();
      const group = groupOf(system, service);
      await untilSharedBy(1, system, group);
      const ms = Date.now() - from;
      say(
        `${service.name} killed: the group has taken over after ${ms} ms, ${load.accepted.length} orders accepted`,
      );
      assert.ok(ms < takeoverMs, `${service.name} killed: taken over after ${ms} ms`);
      takeovers.push({ from, to: from + takeoverMs });
      await service.start();
      await untilAllShared(system);
    }
    await until(
      'enough orders',
      (ordersMin / perSecond) * 3 + 60,
      () => load.accepted.length >= ordersMin,
      500,
    );
    await load.stop();
    const orders = await untilAllShipped(url);
    await watch.stop();
    const pickups = await readPickups(kafka.bootstrapServers, names.fulfillmentEvents, orders);
    const isOutside = ({ createdAt }: { createdAt: number }) =>
      !takeovers.some(({ from, to }) => createdAt > from - 1_000 && createdAt < to);
    const outside = pickups.filter(isOutside);
    say(
      `pickup p95 outside the takeovers ${percentile(outside, 0.95)} ms (${outside.length} orders), ` +
        `over all ${percentile(pickups, 0.95)} ms, slowest ${percentile(pickups, 1)} ms (${pickups.length} orders)`,
    );
    await assertNothingLost(system, load);
    assert.deepEqual(watch.stepsBack, []);
    assert.ok(
      outside.length > 100 && percentile(outside, 0.95) < 5_000,
      `p95 ${percentile(outside, 0.95)} ms`,
    );
  },
);

test(
  'A rolling restart of everything under load fails no request at the remaining instance, and loses and doubles nothing',
  options,
  async (t) => {
    assert.ok(system);
    const { services, urls, provider, url } = system;
    let down: string | undefined;
    const answers: (SeenAnswer & { down: string | undefined })[] = [];
    const load = startOrderLoad({
      url: urls,
      orders: await readRealOrders(),
      perSecond,
      name: `roll ${seed}`,
      onAnswer: (answer) => answers.push({ ...answer, down }),
    });
    t.after(() => load.stop());
    for (const service of services) {
      await elapse(1_000);
      down = service.url;
      const begun = performance.now();
      const { code } = await service.stop();
      const stopped = performance.now();
      await service.start();
      const ms = [stopped - begun, performance.now() - stopped].map(Math.round);
      say(
        `${service.name}: stopped in ${ms[0]} ms, ready again in ${ms[1]} ms, ${load.accepted.length} orders accepted`,
      );
      assert.equal(code, 0, `${service.name}: exit code ${code}`);
      await untilAllShared(system);
      down = undefined;
    }
    provider.program.signalGroup('SIGTERM');
    await provider.program.untilExit(15);
    await provider.start();
    await elapse(1_000);
    await load.stop();
    await untilAllShipped(url);
    const failed = answers.filter(
      ({ status, url: asked, down: gone }) => status !== 201 && asked !== gone,
    );
    const elsewhere = answers.filter(({ status }) => status !== 201).length - failed.length;
    say(
      `${answers.length} requests, ${failed.length} failed at the remaining instance, ${elsewhere} at the one restarted`,
    );
    assert.deepEqual(failed, []);
    assert.equal(load.accepted.length, load.sent.length);
    await assertNothingLost(system, load);
  },
);

const groupOf = ({ names, orderServices }: KafkaSystem, service: ServiceProcess): string =>
  orderServices.includes(service) ? names.orderGroup : names.fulfillmentGroup;

/** Each of so many members of the group has partitions, and together they have all. */
async function untilSharedBy(
  members: number,
  { kafka }: KafkaSystem,
  group: string,
): Promise<void> {
  await until(`${members} member(s) to share ${group}`, 30, async () => {
    const counts = await partitionsOfMembers(kafka.bootstrapServers, group);
    const sum = counts?.reduce((before, count) => before + count, 0);
    if (counts?.length === members && sum === partitions && counts[0] !== 0) return true;
    throw new Error(`members have ${counts ?? 'not agreed on their'} partitions`);
  });
}

async function untilAllShared(all: KafkaSystem): Promise<void> {
  await untilSharedBy(2, all, all.names.orderGroup);
  await untilSharedBy(2, all, all.names.fulfillmentGroup);
}

async function untilAllShipped(url: string) {
  const open = async () => (await readOrders(url)).filter(({ status }) => status !== 'Shipped');
  const begun = performance.now();
  await until('all orders to be Shipped', 120, async () => (await open()).length === 0, 500).catch(
    (error: Error) => say(error.message),
  );
  say(`drained in ${Math.round(performance.now() - begun)} ms`);
  return await readOrders(url);
}

/** Of this load; the orders of other loads on the same system are left out. */
async function assertNothingLost({ url, provider }: KafkaSystem, load: OrderLoad): Promise<void> {
  const all = await readOrders(url);
  const prefix = load.sent[0]?.mark.split(' ').slice(0, 2).join(' ') ?? '';
  const orders = all.filter(({ customerName }) => customerName.startsWith(prefix));
  const others = new Set(
    all.filter((order) => !orders.includes(order)).map(({ orderId }) => orderId),
  );
  const ledger = new Map(
    [...(await readLedger(provider.url))].filter(([reference]) => !others.has(reference)),
  );
  const found = reconcile(load.sent, orders, ledger);
  const again = [...ledger.values()].filter(({ posts }) => posts > 1).length;
  say(
    `${load.sent.length} sent, ${load.accepted.length} accepted, ${orders.length} orders, ${again} posted more than once`,
  );
  assert.deepEqual(found, { lost: [], doubled: [], stuck: [], orphans: [] }, `SEED=${seed}`);
  const refused = load.sent.filter(
    ({ key, orderId }) => key !== undefined && orderId === undefined,
  );
  assert.deepEqual(refused, [], 'an order with an Idempotency-Key was never accepted');
}
