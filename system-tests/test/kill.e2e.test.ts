import assert from 'node:assert/strict';
import { test } from 'node:test';
import { freePorts } from '@orders/lab/kit/free-ports';
import { startOrderWatch } from '@orders/lab/kit/order-watch';
import { readOrders } from '@orders/lab/kit/orders';
import { createRandom, seedOfRun } from '@orders/lab/kit/random';
import { reconcile } from '@orders/lab/kit/reconcile';
import { readLedger, startShippingProvider } from '@orders/lab/kit/shipping-provider';
import { startSystem } from '@orders/lab/kit/started-system';
import { elapse, until } from '@orders/lab/kit/until';
import { startOrderLoad } from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';

const kills = Number(process.env.KILLS ?? 12);
const seed = seedOfRun();
const say = (text: string) => process.stdout.write(`${text}\n`);

test(`${kills} kills at random moments under load lose nothing, book nothing twice and leave nothing stuck`, async (t) => {
  say(`kill test: KILLS=${kills} SEED=${seed}`);
  const random = createRandom(seed);
  const [port = 0] = await freePorts(1);
  const system = await startSystem({
    t,
    env: {
      SHIPPING_BASE_URL: `http://127.0.0.1:${port}`,
      SHIPPING_TIMEOUT_SECONDS: '3',
      SHIPPING_BACKOFF_MS: '200',
      SHIPPING_BACKOFF_MAX_MS: '2000',
      SHIPPING_ATTEMPTS_MAX: '50',
    },
  });
  const { url, directory } = system;
  // Without the provider's own memory of keys every second booking would show: only asking before
  // sending again avoids it.
  const provider = await startShippingProvider({
    port,
    directory,
    env: {
      SIMULATION_LATENCY_MS: '40',
      SIMULATION_LATENCY_JITTER_MS: '120',
      SIMULATION_LOST_RESPONSE_RATE: '0.02',
      SIMULATION_DEDUPE: 'false',
      SIMULATION_SEED: String(seed % 1_000_000),
    },
  });
  t.after(() => provider.kill());

  const strikes = {
    node: async () => {
      await system.kill('node');
      system.launch();
    },
    postgres: () => (system.postmaster() === undefined ? strikes.node() : system.kill('postgres')),
    everything: async () => {
      await Promise.all([system.kill('everything'), provider.kill()]);
      system.launch();
      await provider.start();
    },
    provider: async () => {
      await provider.kill();
      await elapse(random.between(0, 500));
      await provider.start();
    },
  };
  const watch = startOrderWatch(url);
  const orders = await readRealOrders();
  const load = startOrderLoad({
    url,
    orders,
    perSecond: 60,
    name: `kill ${seed}`,
    keylessEvery: 4,
    retrySeconds: 90,
  });
  const victims: (keyof typeof strikes)[] = [];
  const begun = performance.now();
  for (let kill = 1; kill <= kills; kill += 1) {
    await elapse(random.between(100, 1_200));
    if (victims.length === 0)
      victims.push(...random.shuffled(['node', 'postgres', 'everything', 'provider'] as const));
    const victim = victims.pop() ?? 'everything';
    const struckAt = performance.now();
    await strikes[victim]();
    // Now and then the next blow comes while the system is still getting up.
    const waits = random.next() < 0.8 || kill === kills;
    if (waits) await system.untilReady(60);
    const took = waits
      ? `ready after ${Math.round(performance.now() - struckAt)} ms`
      : 'not waited for';
    say(`kill ${kill}/${kills}: ${victim}, ${took}, ${load.accepted.length} orders accepted`);
  }
  await load.stop();
  const stoppedAt = performance.now();
  const open = async () =>
    (await readOrders(url)).filter(({ status }) => status !== 'Shipped').length;
  await until('all orders to be Shipped', 120, async () => (await open()) === 0, 500).catch(
    (error: Error) => say(error.message),
  );
  await watch.stop();
  const all = await readOrders(url);
  const found = reconcile(load.sent, all, await readLedger(provider.url));
  const refused = load.sent.filter(
    ({ key, orderId }) => key !== undefined && orderId === undefined,
  );
  const unknown = load.sent.filter(
    ({ key, orderId }) => key === undefined && orderId === undefined,
  );
  say(
    `${kills} kills in ${((stoppedAt - begun) / 1000).toFixed(1)} s, drained in ${((performance.now() - stoppedAt) / 1000).toFixed(1)} s: ` +
      `${load.sent.length} sent, ${load.accepted.length} accepted, ${unknown.length} without an answer, ${all.length} orders, ` +
      `${found.lost.length} lost, ${found.doubled.length} doubled, ${found.stuck.length} stuck, ${found.orphans.length} orphans`,
  );
  assert.deepEqual(found, { lost: [], doubled: [], stuck: [], orphans: [] }, `SEED=${seed}`);
  assert.deepEqual(refused, [], 'an order with an Idempotency-Key was never accepted');
  assert.deepEqual(watch.stepsBack, []);
  assert.ok(
    watch.seen > 0 && load.accepted.length > kills * 10,
    `${load.accepted.length} accepted`,
  );
});
