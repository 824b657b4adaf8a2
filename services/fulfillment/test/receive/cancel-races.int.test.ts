import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import {
  cancelRequested,
  fulfillmentTables,
  newIds,
  orderCreated,
  orderEvent,
} from '../fulfillment-instance.ts';
import { type Answer, scriptedProvider, shipment } from '../scripted-provider.ts';

const postgres = await startTestPostgres();

test('I10: cancels at random moments from another instance: each order ends, shipped exactly where the provider booked it', async (t) => {
  const provider = await scriptedProvider(t);
  const { instanceOf, sql } = await fulfillmentTables(t, postgres);
  const options = { providerUrl: provider.url, policy: { attemptsMax: 1_000 } };
  const [a, b] = [instanceOf('a', options), instanceOf('b', options)];
  a.start();
  b.start();
  const booked = new Set<string>();
  let draw = 7;
  const random = () => {
    draw = (draw * 48_271) % 2_147_483_647;
    return draw / 2_147_483_647;
  };
  provider.post = async ({ reference }) => {
    const fate = random();
    if (fate < 0.4) return { status: 503 };
    assert.ok(!booked.has(reference), 'sent again after it was booked');
    booked.add(reference);
    return fate < 0.6 ? 'drop' : shipment('T');
  };
  provider.lookUp = async ({ reference }) =>
    booked.has(reference)
      ? ({ ...(shipment('T') as object), status: 200 } as Answer)
      : { status: 404 };
  const ids = newIds(120);
  // Some requests come before their order, some with it, most while it is on its way; a third of
  // the orders has none.
  for (const [i, orderId] of ids.entries()) {
    const asked = ids[i + 5 - Math.floor(random() * 15)];
    await Promise.all([
      a.handle([orderEvent(orderCreated(orderId))]),
      i % 3 > 0 && asked !== undefined && b.handle([orderEvent(cancelRequested(asked))]),
    ]);
  }
  const rows = () =>
    sql<{ order_id: string; state: string }>('SELECT order_id, state FROM fulfillments');
  const isFinal = ({ state }: { state: string }) => ['Shipped', 'Cancelled'].includes(state);
  await until(
    'each order ended',
    async () => (await rows()).filter(isFinal).length === ids.length,
    25_000,
  );
  for (const { order_id, state } of await rows())
    assert.equal(state === 'Shipped', booked.has(order_id), order_id);
  const cancelled = (await rows()).filter(({ state }) => state === 'Cancelled').length;
  t.diagnostic(`${cancelled} cancelled, ${ids.length - cancelled} shipped`);
  assert.ok(cancelled > 0 && cancelled < ids.length);
});
