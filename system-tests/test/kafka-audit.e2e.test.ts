import assert from 'node:assert/strict';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { connectTo } from '@orders/lab/kit/databases';
import { produce } from '@orders/lab/kit/kafka-records';
import { skipWithout, startKafkaSystem } from '@orders/lab/kit/kafka-system';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { runAudit } from '@orders/lab/kit/run-audit';
import { until } from '@orders/lab/kit/until';
import { startOrderLoad } from '@orders/lab/load/order-load';

const system = await startKafkaSystem();
const impatient = ['--grace', '0', '--stuck-after', '600'];

test(
  'An audit on Kafka tells what waits there from what is lost, and finds rows that no topic can have made',
  skipWithout(system),
  async (t) => {
    assert.ok(system);
    const { kafka, names, databases, provider, fulfillmentServices, url } = system;
    const env = {
      ORDERS_DATABASE_URL: databases.orders,
      FULFILLMENT_DATABASE_URL: databases.fulfillment,
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
      SHIPPING_BASE_URL: provider.url,
      ...names.topicVariables,
    };
    const groups = [
      '--order-group',
      names.orderGroup,
      '--fulfillment-group',
      names.fulfillmentGroup,
    ];
    const audit = (...args: string[]) =>
      runAudit({ directory: tmpdir(), env, args: [...impatient, ...groups, ...args] });
    const orders = Array.from({ length: 30 }, () => place(url, anOrder()));
    const ids = await Promise.all(orders);
    await produce(kafka.bootstrapServers, names.orderEvents, [
      { key: 'poison', value: Buffer.from('{') },
    ]);
    await Promise.all(ids.map((id) => untilOrder(url, id, 'Shipped', 30)));

    const whole = await until('an audit of settled topics', 60, async () => {
      const done = await audit();
      assert.deepEqual(
        done.report?.topics.map(({ lag }) => lag),
        [0, 0],
        done.text,
      );
      return done;
    });
    assert.equal(whole.code, 0, whole.text);
    assert.deepEqual(
      [whole.report?.mode, whole.report?.stations.orders, whole.report?.stations.deadLetters],
      ['kafka', 30, 1],
    );
    assert.equal(whole.report?.topics[0]?.deadLetterRecords, 1);

    const load = startOrderLoad({ url, orders: [anOrder()], perSecond: 60, name: 'audited' });
    t.after(() => load.stop());
    await until('orders to be accepted', 20, () => load.accepted.length > 60);
    const busy = await audit();
    assert.equal(busy.code, 0, busy.text);
    await load.stop();
    await Promise.all(
      load.accepted.map(({ orderId = '' }) => untilOrder(url, orderId, 'Shipped', 30)),
    );

    await Promise.all(fulfillmentServices.map((service) => service.kill()));
    const waiting = await place(url, anOrder());
    const unread = await until('the order to wait in Kafka', 60, async () => {
      const done = await audit();
      assert.equal(done.report?.topics[0]?.lag, 1, done.text);
      return done;
    });
    assert.equal(unread.code, 0, unread.text);
    const late = await audit('--stuck-after', '0');
    assert.equal(late.code, 1, late.text);
    assert.deepEqual(
      late.report?.findings.map(({ name, orderId }) => [name, orderId]),
      [['open_too_long', waiting]],
    );

    await Promise.all(fulfillmentServices.map((service) => service.start()));
    await untilOrder(url, waiting, 'Shipped', 60);
    const [gone, elsewhere] = ids;
    const sql = await connectTo(t, databases.fulfillment, 'fulfillment');
    await sql('DELETE FROM fulfillments WHERE order_id = $1', [gone]);
    await sql('UPDATE fulfillments SET source_offset = 1000000 WHERE order_id = $1', [elsewhere]);
    const damaged = await audit();
    assert.equal(damaged.code, 1, damaged.text);
    assert.deepEqual(
      damaged.report?.findings.map(({ kind, name, orderId }) => [kind, name, orderId]),
      [
        ['lost', 'not_filed', gone],
        ['orphaned', 'booking_without_fulfillment', gone],
        ['contradictory', 'source_not_committed', elsewhere],
      ],
    );
  },
);
