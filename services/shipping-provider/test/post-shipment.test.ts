import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { test } from 'node:test';
import { readConfig } from '@orders/platform/process/config';
import { createMetrics } from '@orders/platform/process/metrics';
import { ShippingProviderConfig, simulationOf } from '../src/config.ts';
import { openLedger } from '../src/ledger.ts';
import { createPostShipment } from '../src/post-shipment.ts';
import { createSimulator } from '../src/simulation.ts';
import { createWaitingRequests } from '../src/waiting-requests.ts';
import { silentLog } from './running-provider.ts';

async function createParts(options: { waitingMax: number; env?: NodeJS.ProcessEnv }) {
  const ledger = openLedger({ log: silentLog });
  const simulator = createSimulator(
    simulationOf(readConfig(ShippingProviderConfig, options.env ?? {})),
  );
  const waiting = createWaitingRequests(options.waitingMax);
  const post = createPostShipment({
    ledger,
    simulator,
    waiting,
    metrics: createMetrics('test'),
    log: silentLog,
  });
  const dropped: string[] = [];
  return {
    ledger,
    waiting,
    dropped,
    post(reference: string, productId: string) {
      const body = {
        reference,
        recipient: { customerId: 'c', name: 'n' },
        items: [{ productId, quantity: 1 }],
      };
      const raw = {
        socket: { destroy: () => dropped.push(reference) },
      } as unknown as IncomingMessage;
      const response = Object.assign(new EventEmitter(), {
        destroyed: false,
      }) as unknown as ServerResponse;
      const reply = { raw: response, hijack: () => dropped.push('answer') };
      return post({ body, headers: { 'idempotency-key': reference }, raw }, reply);
    },
  };
}

test('with as many requests waiting as may be, one that would wait is 503 overloaded, counted and not booked', async () => {
  const parts = await createParts({ waitingMax: 0, env: { SIMULATION_LATENCY_MS: '10' } });
  for (const productId of ['p', 'TEST-HANG']) {
    await assert.rejects(parts.post('a', productId), { code: 'overloaded', status: 503 });
  }
  assert.deepEqual(parts.ledger.find('a'), { posts: 2, bookings: 0, first: undefined });
});

test('a hanging request is cut off after two minutes', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const parts = await createParts({ waitingMax: 1 });
  const hanging = parts.post('a', 'TEST-HANG');
  t.mock.timers.tick(119_999);
  assert.deepEqual([parts.waiting.count(), parts.dropped], [1, []]);
  t.mock.timers.tick(1);
  assert.equal(await hanging, undefined);
  assert.deepEqual([parts.waiting.count(), parts.dropped], [0, ['answer', 'a']]);
});

test('without latency and ledger file nothing is waiting and no timer starts', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'setImmediate'] });
  const parts = await createParts({ waitingMax: 0 });
  assert.equal((await parts.post('a', 'p'))?.number, 1);
});
