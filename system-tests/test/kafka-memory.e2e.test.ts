// A backlog in Kafka. KAFKA_BACKLOG is its number of orders (default 5,000; the full exam has
// 100000), REAL_ORDERS a file of real orders.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithout, startKafkaSystem } from '@orders/lab/kit/kafka-system';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { residentMb, showsUsage } from '@orders/lab/kit/process-table';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { until } from '@orders/lab/kit/until';
import { startOrderLoad } from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';

const backlog = Number(process.env.KAFKA_BACKLOG ?? 5_000);
const residentMaxMb = 300;
const system = await startKafkaSystem();
const options = showsUsage ? skipWithout(system) : { skip: 'this platform has no /proc' };

test(
  `One process of each service stays below ${residentMaxMb} MB while ${backlog} orders queued in Kafka are worked off`,
  options,
  async (t) => {
    assert.ok(system);
    const { url, provider, services, orderServices, fulfillmentServices } = system;
    const [orders, fulfillment] = [orderServices[0], fulfillmentServices[0]];
    assert.ok(orders && fulfillment);
    await fulfillment.stop();
    const filling = performance.now();
    const load = startOrderLoad({
      url,
      orders: await readRealOrders(),
      perSecond: 2_000,
      name: 'backlog',
    });
    t.after(() => load.stop());
    await until('the backlog', 30 + backlog / 100, () => load.accepted.length >= backlog, 250);
    await load.stop();
    const filled = performance.now();
    await until('everything to be published', 60, async () => (await unpublished(url)) === 0, 250);

    await fulfillment.start();
    const ids = load.accepted.map(({ orderId }) => String(orderId));
    await until(
      'all to be booked',
      60 + backlog / 50,
      async () => (await readLedger(provider.url)).size >= ids.length,
      1_000,
    );
    for (const orderId of [ids[0], ids.at(-1)])
      await untilOrder(url, String(orderId), 'Shipped', 60);
    await untilOrder(url, await place(url, anOrder()), 'Shipped', 60);
    const peaks = services.map(({ name, program }) => ({
      name,
      mb: Math.round(residentMb(program.pid)?.peak ?? Number.NaN),
    }));
    const seconds = (ms: number) => (ms / 1_000).toFixed(1);
    t.diagnostic(
      `${ids.length} orders queued in ${seconds(filled - filling)} s, worked off in ${seconds(performance.now() - filled)} s; most memory: ` +
        peaks.map(({ name, mb }) => `${name} ${mb} MB`).join(', '),
    );
    for (const { name, mb } of peaks)
      assert.ok(mb < residentMaxMb, `${name} had ${mb} MB resident`);
  },
);

/** Events that still wait in the outbox of the order service. */
async function unpublished(url: string): Promise<number> {
  const text = await (await fetch(`${url}/metrics`, { signal: AbortSignal.timeout(5_000) })).text();
  return Number(/^outbox_unpublished(?:\{[^}]*\})? (\d+)$/m.exec(text)?.[1] ?? Number.NaN);
}
