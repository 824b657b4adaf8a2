import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FulfillmentEvent } from '@orders/contracts/fulfillments/events';
import { type NewRecord, partitionsOf, produce, readRecords } from '@orders/lab/kit/kafka-records';
import { type KafkaSystem, skipWithout, startKafkaSystem } from '@orders/lab/kit/kafka-system';
import { anOrder, readOrders } from '@orders/lab/kit/orders';
import { reconcile } from '@orders/lab/kit/reconcile';
import { readLedger } from '@orders/lab/kit/shipping-provider';
import { until } from '@orders/lab/kit/until';
import { startOrderLoad } from '@orders/lab/load/order-load';
import { readRealOrders } from '@orders/lab/load/real-orders';
import { minimalOrderCreated, poisonMessages, unknownEvents } from './poison-messages.ts';

const system = await startKafkaSystem();
const options = skipWithout(system);

test(
  'Ten poison messages among good ones in each partition all reach the dead letters unchanged, and stop nobody',
  options,
  async (t) => {
    assert.ok(system);
    const { kafka, names, provider, url } = system;
    const servers = kafka.bootstrapServers;
    const load = startOrderLoad({
      url,
      orders: await readRealOrders(),
      perSecond: 40,
      name: 'poison',
    });
    t.after(() => load.stop());
    const partitions = await partitionsOf(servers, names.orderEvents);
    assert.ok(partitions > 1, `${names.orderEvents} has ${partitions} partition(s)`);
    const foreign: string[] = [];
    const records = Array.from({ length: partitions }, (_, partition) =>
      recordsFor(partition, foreign),
    ).flat();
    const written = await produce(servers, names.orderEvents, records);
    await until('orders after the poison', 20, () => load.accepted.length >= 120);
    await load.stop();

    const poison = written.filter(({ record }) => record.headers?.poison !== undefined);
    assert.equal(poison.length, partitions * 10);
    const letters = await until('all dead letters', 30, async () => {
      const found = await readRecords(servers, `${names.orderEvents}.dlq`);
      if (found.length >= poison.length) return found;
      throw new Error(`there are ${found.length} of ${poison.length}`);
    });
    const placeOf = (partition: unknown, offset: unknown) => `${partition}/${offset}`;
    const byPlace = new Map(
      letters.map((l) => [placeOf(l.headers['dlq-partition'], l.headers['dlq-offset']), l]),
    );
    for (const { partition, offset, record } of poison) {
      const what = `${record.headers?.poison} at ${partition}/${offset}`;
      const letter = byPlace.get(placeOf(partition, offset));
      assert.ok(letter, `${what} is not in ${names.orderEvents}.dlq`);
      assert.deepEqual(letter.value, record.value, what);
      const { 'dlq-reason': reason, 'dlq-topic': topic, 'dlq-at': at } = letter.headers;
      assert.ok(reason && reason.length > 3, `${what}: the reason is ${reason}`);
      assert.equal(topic, names.orderEvents, what);
      assert.match(String(at), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, what);
      assert.equal(letter.headers.poison, record.headers?.poison, 'a header of its own is gone');
    }
    // Every place once, and nothing else: neither good nor unknown events.
    assert.equal(letters.length, poison.length);

    const isShipped = async () =>
      (await readOrders(url)).every(({ status }) => status === 'Shipped');
    await until('all good orders to be Shipped', 60, isShipped);
    const ledger = await until('all foreign orders to be booked', 30, async () => {
      const found = await readLedger(provider.url);
      return foreign.every((id) => found.get(id)?.bookings === 1) ? found : undefined;
    });
    const ours = new Map([...ledger].filter(([reference]) => !foreign.includes(reference)));
    const found = reconcile(load.sent, await readOrders(url), ours);
    assert.deepEqual(found, { lost: [], doubled: [], stuck: [], orphans: [] });
    await assertFulfilled(system, foreign);
    t.diagnostic(
      `${partitions} partitions: ${letters.length} dead letters, ${foreign.length} foreign orders, ${load.accepted.length} of our own`,
    );
  },
);

test(
  'Poison among the fulfillment events does not keep an order from being shown as Shipped',
  options,
  async (t) => {
    assert.ok(system);
    const { kafka, names, url } = system;
    const servers = kafka.bootstrapServers;
    const partitions = await partitionsOf(servers, names.fulfillmentEvents);
    const values = ['no JSON', '{"eventType":"OrderFulfilled"}', '{"eventType":"Unheard"}'].map(
      (text) => Buffer.from(text),
    );
    const records = Array.from({ length: partitions }, (_, partition) =>
      values.map((value) => ({ partition, value })),
    );
    await produce(servers, names.fulfillmentEvents, records.flat());
    const load = startOrderLoad({ url, orders: [anOrder()], perSecond: 40, name: 'after' });
    t.after(() => load.stop());
    await until('orders after the poison', 20, () => load.accepted.length >= 60);
    await load.stop();
    const isShipped = async () =>
      (await readOrders(url)).every(({ status }) => status === 'Shipped');
    await until('all good orders to be Shipped', 60, isShipped);
    await until('the dead letters', 30, async () => {
      const letters = await readRecords(servers, `${names.fulfillmentEvents}.dlq`);
      return letters.length === 2 * partitions;
    });
  },
);

/** Poison of all kinds with good foreign orders between, and events that are nobody's business. */
function recordsFor(partition: number, foreign: string[]): NewRecord[] {
  const good = (): NewRecord => {
    const order = minimalOrderCreated();
    foreign.push(order.orderId);
    return { partition, key: order.orderId, value: Buffer.from(JSON.stringify(order)) };
  };
  const bad = Object.entries(poisonMessages).flatMap(([poison, value], n): NewRecord[] => [
    { partition, key: `poison-${n}`, value: value(), headers: { poison } },
    ...(n % 4 === 0 ? [good()] : []),
  ]);
  const unknown = unknownEvents.map(
    (value): NewRecord => ({ partition, key: 'unknown', value: value() }),
  );
  return [...bad, ...unknown, good()];
}

/**
 * The foreign orders' own way in fulfillment-events; the unknown events have left nothing there.
 */
async function assertFulfilled({ kafka, names }: KafkaSystem, foreign: string[]): Promise<void> {
  await until('the events of the foreign orders', 30, async () => {
    const events = (await readRecords(kafka.bootstrapServers, names.fulfillmentEvents)).map(
      ({ value }) => JSON.parse(String(value)) as FulfillmentEvent,
    );
    const fulfilled = Map.groupBy(events, ({ orderId }) => orderId);
    for (const id of foreign) {
      const types = new Set((fulfilled.get(id) ?? []).map(({ eventType }) => eventType));
      assert.ok(
        types.has('FulfillmentStarted') && types.has('OrderFulfilled'),
        `${id}: ${[...types]}`,
      );
    }
    return true;
  });
}
