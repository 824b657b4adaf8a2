import assert from 'node:assert/strict';
import { test } from 'node:test';
import { call } from '@orders/lab/kit/http';
import { skipWithout, startKafkaSystem } from '@orders/lab/kit/kafka-system';
import { secondClock } from '@orders/lab/kit/odd-clock';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { until } from '@orders/lab/kit/until';

/** Kafka takes no record whose time is more than an hour ahead of its own. */
const aheadSeconds = 7_200;
const system = await startKafkaSystem({
  env: secondClock(aheadSeconds),
});
const options = skipWithout(system);

test(
  'With clocks two hours ahead orders are shipped all the same, and the skew is a metric and one warning',
  options,
  async () => {
    assert.ok(system);
    const { url, services } = system;
    for (let count = 0; count < 5; count += 1)
      await untilOrder(url, await place(url, anOrder()), 'Shipped', 30);
    for (const { url: of, program } of services) {
      await until('the metric', 10, async () => {
        const { text } = await call('GET', `${of}/metrics`);
        const skew = Number(/^clock_skew_seconds\{.*\} (\S+)$/m.exec(text)?.[1]);
        return Math.abs(skew - aheadSeconds) < 2;
      });
      const warnings = program.lines.filter((line) =>
        line.includes('clock of this machine differs'),
      );
      assert.equal(warnings.length, 1, program.tail());
    }
  },
);
