import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as pause } from 'node:timers/promises';
import { call } from '@orders/lab/kit/http';
import { skipWithout, startKafkaSystem } from '@orders/lab/kit/kafka-system';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { residentMb, showsUsage } from '@orders/lab/kit/process-table';
import { simulate } from '@orders/lab/kit/shipping-provider';

/** What compose.yaml gives each service. */
const residentMaxMb = 384;
const orders = 300;
const triesMax = 60;

const system = await startKafkaSystem();
const options = showsUsage ? skipWithout(system) : { skip: 'this platform has no /proc' };

/** An order of 0.8 MB; each letter is written as six. */
const productIds = Array.from({ length: 1_000 }, (_, index) => `${index}`.padEnd(128, '漢'));
const body = JSON.stringify(
  anOrder({ items: productIds.map((productId) => ({ productId, quantity: 1 })) }),
).replaceAll('漢', '\\u6f22');

test(
  `${orders} orders of 0.8 MB at once, with a slow provider: each service stays below ${residentMaxMb} MB, and what finds no room is 503 with Retry-After`,
  options,
  async (t) => {
    assert.ok(system);
    const { url, provider, services } = system;
    assert.ok(body.length > 760_000 && body.length < 1_048_576, `${body.length} bytes`);
    await simulate(provider.url, { latencyMs: 1_000 });
    const headers = { 'content-type': 'application/json' };
    let refused = 0;
    const placeLarge = async (): Promise<string> => {
      for (let tries = 0; tries < triesMax; tries += 1) {
        const answer = await call<{ orderId: string; code: string }>('POST', `${url}/api/orders`, {
          body,
          headers,
          timeoutMs: 60_000,
        });
        if (answer.status === 201) return answer.body.orderId;
        assert.equal(answer.status, 503, answer.text);
        assert.equal(answer.body.code, 'overloaded');
        refused += 1;
        await pause(Number(answer.headers['retry-after']) * 1_000);
      }
      throw new Error(`no room in ${triesMax} tries`);
    };
    const placing = Promise.all(Array.from({ length: orders }, placeLarge));
    // Everyday orders go their way beside them.
    const small = await place(url, anOrder());
    const placed = await placing;
    await untilOrder(url, small, 'Shipped', 60);
    for (const orderId of placed.slice(-3)) await untilOrder(url, orderId, 'Shipped', 60);
    const peaks = services.map(({ name, program }) => ({
      name,
      mb: Math.round(residentMb(program.pid)?.peak ?? Number.NaN),
    }));
    t.diagnostic(
      `refused ${refused} times; most memory: ${peaks.map(({ name, mb }) => `${name} ${mb} MB`).join(', ')}`,
    );
    assert.ok(refused > 0);
    for (const { name, mb } of peaks) assert.ok(mb < residentMaxMb, `${name} had ${mb} MB`);
  },
);
