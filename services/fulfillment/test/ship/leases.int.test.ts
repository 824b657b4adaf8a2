import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import { toFiling } from '../../src/receive/filing.ts';
import {
  fulfillmentStores,
  fulfillmentTables,
  newIds,
  orderCreated,
  orderEvent,
} from '../fulfillment-instance.ts';
import { type Answer, scriptedProvider, shipment } from '../scripted-provider.ts';

const postgres = await startTestPostgres();

// A lease without an end would keep what a killed process held for ever.
test('what a process held when it was killed is looked up by another when its lease ends, not before, however it got it', async (t) => {
  const provider = await scriptedProvider(t);
  const { connect, instanceOf, sql } = await fulfillmentTables(t, postgres);
  const [handedOver = '', claimed = '', renewed = ''] = newIds(3);
  const killed = fulfillmentStores(connect('killed'), 'killed');
  const file = async (orderId: string, isHandedOver: boolean, leaseMs: number) => {
    const filing = toFiling(orderCreated(orderId), orderEvent({}));
    const batch = { filings: [{ ...filing, isHandedOver }], cancellations: [], letters: [] };
    await killed.file('order-events', batch, { leaseMs, eventClaimMs: null });
  };
  const begun = performance.now();
  const leaseMs = 1_500;
  await file(claimed, false, leaseMs);
  assert.equal(
    (await killed.claimDue({ itemsMax: 1, bytesMax: 1_000_000 }, { leaseMs, settleMs: 0 })).length,
    1,
  );
  await file(renewed, false, leaseMs);
  await killed.renew(
    await killed.claimDue({ itemsMax: 1, bytesMax: 1_000_000 }, { leaseMs: 60_000, settleMs: 0 }),
    leaseMs,
  );
  await file(handedOver, true, leaseMs);

  provider.lookUp = async ({ reference }) =>
    ({ ...(shipment(`T-${reference}`) as object), status: 200 }) as Answer;
  instanceOf('other', { providerUrl: provider.url }).start();
  const shipped = "SELECT 1 FROM fulfillments WHERE state = 'Shipped'";
  await until(
    'another has adopted all three shipments',
    async () => (await sql(shipped)).length === 3,
  );
  const firstAskedMs = (provider.asked[0]?.at ?? 0) - begun;
  assert.ok(firstAskedMs >= leaseMs, `looked up after ${firstAskedMs} ms`);
  assert.deepEqual(
    new Set(provider.lookUps().map(({ reference }) => reference)),
    new Set([handedOver, claimed, renewed]),
  );
  assert.equal(provider.posts().length, 0);
});
