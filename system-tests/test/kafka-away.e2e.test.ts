// The broker dies or hangs under load. KAFKA_KILLED_SECONDS (default 10; the full exams have 30 and
// 600) and KAFKA_HUNG_SECONDS (8; 20) are the outages, KAFKA_RATE the orders per second (default
// 40).
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithout, startKafkaSystemWithBroker } from '@orders/lab/kit/kafka-system';
import type { LocalKafka } from '@orders/lab/kit/local-kafka';
import { startMemoryWatch } from '@orders/lab/kit/memory-watch';
import { startOrderWatch } from '@orders/lab/kit/order-watch';
import { readOrders, readPage } from '@orders/lab/kit/orders';
import { showsUsage } from '@orders/lab/kit/process-table';
import { reconcile } from '@orders/lab/kit/reconcile';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { elapse, until } from '@orders/lab/kit/until';
import { percentile, type SeenAnswer, startOrderLoad } from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';

type Outage = {
  seconds: number;
  begin: (kafka: LocalKafka) => Promise<void>;
  end: (kafka: LocalKafka) => Promise<void>;
};

const perSecond = Number(process.env.KAFKA_RATE ?? 40);
const killed: Outage = {
  seconds: Number(process.env.KAFKA_KILLED_SECONDS ?? 10),
  begin: (kafka) => kafka.kill(),
  end: (kafka) => kafka.start(),
};
const hung: Outage = {
  seconds: Number(process.env.KAFKA_HUNG_SECONDS ?? 8),
  begin: async (kafka) => kafka.signal('SIGSTOP'),
  end: async (kafka) => kafka.signal('SIGCONT'),
};
/**
 * Garbage between two collections comes and goes. A backlog in memory shows from some 30,000 orders
 * on (1 kB of JSON each, more as objects).
 */
const growthMaxMb = 60;
const residentMaxMb = 300;
const tell = (value: object) => JSON.stringify(value);
const say = (text: string) => process.stdout.write(`${text}\n`);
const system = await startKafkaSystemWithBroker();
const options = skipWithout(system);

for (const [what, { seconds, begin, end }] of Object.entries({ killed, hung })) {
  test(
    `While the broker is ${what} for ${seconds} s orders are accepted quickly as Pending, and all ship afterwards`,
    options,
    async (t) => {
      assert.ok(system);
      const { kafka, services, provider, url } = system;
      const answers: SeenAnswer[] = [];
      const startsBefore = services.map(({ starts }) => starts);
      const before = new Set((await readOrders(url)).map(({ orderId }) => orderId));
      const load = startOrderLoad({
        url,
        orders: await readRealOrders(),
        perSecond,
        name: what,
        onAnswer: (answer) => answers.push(answer),
      });
      const watch = startOrderWatch(url);
      const memory = startMemoryWatch(services);
      t.after(() => Promise.all([load.stop(), watch.stop(), memory.stop()]));
      await until('orders to be accepted', 15, () => load.accepted.length >= perSecond * 2);

      const residentBefore = memory.most();
      const from = Date.now();
      await begin(kafka);
      let pending = 0;
      const look = async () => {
        const found = await readOrders(url, { status: 'Pending' });
        for (const order of found) assert.equal(order.publishFailed, true, JSON.stringify(order));
        pending = Math.max(pending, found.length);
        return pending >= perSecond;
      };
      await until('Pending orders', seconds + 5, look, 250);
      await elapse(Math.max(0, from + seconds * 1_000 - Date.now()));
      await look();
      const residentDuring = memory.most();
      const to = Date.now();
      await end(kafka);
      const backAt = Date.now();
      await elapse(3_000);
      await load.stop();
      const settled = async () => {
        // Few rows as long as any is open: reading all of them would be the larger part of the
        // load.
        for (const status of ['Created', 'Pending', 'Processing', 'Retrying']) {
          const [open] = (await readPage(url, { status, limit: 1 })).items;
          if (open !== undefined) throw new Error(`still open: ${JSON.stringify(open)}`);
        }
        return (await readOrders(url)).every(
          (order) => order.status === 'Shipped' && !order.publishFailed,
        );
      };
      await until('all to be Shipped and no flag set', 90 + seconds / 2, settled, 250);
      const drainedMs = Date.now() - backAt;
      const residentDraining = memory.most();
      await watch.stop();

      const during = answers.filter(({ sentAt }) => sentAt >= from && sentAt < to);
      const p95 = percentile(during, 0.95);
      say(
        `broker ${what} ${Math.round((to - from) / 1_000)} s: ${during.length} POSTs meanwhile, p95 ${Math.round(p95)} ms, slowest ` +
          `${Math.round(percentile(during, 1))} ms, up to ${pending} Pending; all ${load.accepted.length} Shipped ${drainedMs} ms after it was back`,
      );
      say(
        `most MB before ${tell(residentBefore)}; in the outage ${tell(residentDuring)}; while draining ${tell(residentDraining)}`,
      );
      assert.deepEqual(
        answers.filter(({ status }) => status !== 201),
        [],
      );
      assert.ok(
        during.length >= perSecond * seconds * 0.5,
        `only ${during.length} requests in the outage`,
      );
      assert.ok(p95 < 500, `p95 ${p95} ms`);
      for (const { name } of showsUsage ? services : []) {
        const [waiting = Number.NaN, draining = Number.NaN] = [
          residentDuring[name],
          residentDraining[name],
        ];
        assert.ok(
          draining < waiting + growthMaxMb && draining < residentMaxMb,
          `${name} had ${draining} MB resident`,
        );
      }
      assert.deepEqual(
        services.map(({ starts, program }) => [starts, program.exit]),
        startsBefore.map((starts) => [starts, undefined]),
        'a service has ended or was restarted',
      );
      const orders = (await readOrders(url)).filter(({ orderId }) => !before.has(orderId));
      const ledger = new Map(
        [...(await readLedger(provider.url))].filter(([reference]) => !before.has(reference)),
      );
      assert.deepEqual(reconcile(load.sent, orders, ledger), {
        lost: [],
        doubled: [],
        stuck: [],
        orphans: [],
      });
      assert.deepEqual(watch.stepsBack, []);
    },
  );
}
