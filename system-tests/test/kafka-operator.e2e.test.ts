import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type KafkaSystem, skipWithout, startKafkaSystem } from '@orders/lab/kit/kafka-system';
import { createOperator } from '@orders/lab/kit/operator';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { readLedger, simulate } from '@orders/lab/kit/shipping-provider';
import { until } from '@orders/lab/kit/until';

// Two instances that share the work. Without the provider's own memory of keys every second booking
// would show.
const system = await startKafkaSystem({
  fulfillmentServices: 2,
  env: {
    SHIPPING_TIMEOUT_SECONDS: '2',
    SHIPPING_BACKOFF_MS: '200',
    SHIPPING_BACKOFF_MAX_MS: '500',
    SHIPPING_ATTEMPTS_MAX: '1',
  },
  providerEnv: { SIMULATION_DEDUPE: 'false' },
});
const options = skipWithout(system);
const seconds = 60;

const operatorsOf = ({ fulfillmentServices: [one, other] }: KafkaSystem) => {
  assert.ok(one && other);
  return { one: createOperator(one.url), other: createOperator(other.url) };
};
const placeAll = (url: string, count: number): Promise<string[]> =>
  Promise.all(Array.from({ length: count }, () => place(url, anOrder())));

test(
  'What is forced through one instance holds in both, until it is left to them through the other',
  options,
  async () => {
    assert.ok(system);
    const { url, provider } = system;
    const { one, other } = operatorsOf(system);
    await one.force('forced_open');
    await until('both instances to follow', 20, async () => {
      const { instances } = await other.breaker();
      return instances.length === 2 && instances.every(({ state }) => state === 'open');
    });
    const orderIds = await placeAll(url, 30);
    for (const orderId of orderIds) {
      const { fulfillment } = await untilOrder(url, orderId, 'Retrying', seconds);
      assert.equal(fulfillment?.attempts, 0);
    }
    assert.equal((await readLedger(provider.url)).size, 0, 'a call has left');
    assert.equal((await other.force('automatic')).mode, 'automatic');
    for (const orderId of orderIds) await untilOrder(url, orderId, 'Shipped', seconds);
    const ledger = await readLedger(provider.url);
    assert.deepEqual(
      orderIds.filter(
        (orderId) => ledger.get(orderId)?.bookings !== 1 || ledger.get(orderId)?.posts !== 1,
      ),
      [],
    );
  },
);

test(
  'What failed in an outage is retried by two instances and booked once each',
  options,
  async () => {
    assert.ok(system);
    const { url, provider } = system;
    const { one, other } = operatorsOf(system);
    await one.force('forced_closed');
    await until(
      'both instances to follow',
      20,
      async () => (await one.breaker()).instances.length === 2,
    );
    await simulate(provider.url, { failureRate: 1 });
    const orderIds = await placeAll(url, 40);
    for (const orderId of orderIds) await untilOrder(url, orderId, 'Failed', seconds);
    await simulate(provider.url, { failureRate: 0 });
    // Two operators at the same moment: what one has touched the other finds changed, or touches
    // again without harm.
    const filter = { state: 'Failed', createdFrom: '2020-01-01T00:00:00Z' } as const;
    const answers = await Promise.all(
      [one, other].map((operator) => operator.retry({ filter, ratePerSecond: 20 })),
    );
    const touched = answers.flatMap((answer) => answer.touched.map(({ orderId }) => orderId));
    assert.deepEqual(touched.toSorted(), orderIds.toSorted());
    for (const orderId of orderIds) await untilOrder(url, orderId, 'Shipped', seconds);
    const ledger = await readLedger(provider.url);
    assert.deepEqual(
      orderIds.filter(
        (orderId) => ledger.get(orderId)?.bookings !== 1 || ledger.get(orderId)?.posts !== 2,
      ),
      [],
    );
    await one.force('automatic');
  },
);
