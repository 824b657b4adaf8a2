import assert from 'node:assert/strict';
import { test } from 'node:test';
import { skipWithout, startKafkaSystem } from '@orders/lab/kit/kafka-system';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { cpuMsOf, showsUsage } from '@orders/lab/kit/process-table';
import { simulate } from '@orders/lab/kit/shipping-provider';
import { elapse } from '@orders/lab/kit/until';

const outageMs = 6_000;
/** Of one core; a loop without a pause takes all of it. */
const shareMax = 0.3;
const backlog = 300;
const system = await startKafkaSystem({ env: { SHIPPING_BACKOFF_MAX_MS: '1000' } });
const options = showsUsage ? skipWithout(system) : { skip: 'this platform has no /proc' };

test(
  `With ${backlog} orders to dispatch and PostgreSQL away no service takes more than ${shareMax * 100} % of a core`,
  options,
  async (t) => {
    assert.ok(system);
    const { url, services, provider, databases } = system;
    await simulate(provider.url, { failureRate: 1 });
    const orderIds = await Promise.all(
      Array.from({ length: backlog }, () => place(url, anOrder())),
    );
    await untilOrder(url, orderIds.at(-1) ?? '', 'Retrying', 30);
    await databases.close();
    // The first moments belong to what was under way.
    await elapse(1_500);
    const cpuMs = () => services.map(({ program }) => cpuMsOf(program.pid));
    const before = cpuMs();
    await elapse(outageMs);
    const shares = cpuMs().map((ms, index) => (ms - (before[index] ?? Number.NaN)) / outageMs);
    const told = services.map(({ name }, index) => `${name} ${shares[index]?.toFixed(2)}`);
    t.diagnostic(`of a core: ${told.join(', ')}`);
    for (const [index, share] of shares.entries()) assert.ok(share < shareMax, told[index]);
  },
);
