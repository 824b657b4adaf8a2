import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import { type Claimed, decide } from '../../src/fulfillment.ts';
import { openByState } from '../../src/metrics.ts';
import {
  fulfillmentStores,
  fulfillmentTables,
  newIds,
  orderCreated,
  orderEvent,
  quick,
} from '../fulfillment-instance.ts';
import { scriptedProvider } from '../scripted-provider.ts';

const postgres = await startTestPostgres();
const times = { leaseMs: 15_000, settleMs: 200 };
const call = { durationMs: 1, now: new Date(), random: 0.5 };
const shipped = {
  kind: 'shipped',
  trackingNumber: 'T',
  carrier: null,
  shippedAt: '2026-01-20T21:09:00.000Z',
} as const;

/** Instances whose dispatchers never start: what is filed stays in the table. */
async function tables(t: Parameters<typeof fulfillmentTables>[0]) {
  const all = await fulfillmentTables(t, postgres);
  const provider = await scriptedProvider(t);
  const { handle } = all.instanceOf('filer', { providerUrl: provider.url });
  const store = (instance: string) => fulfillmentStores(all.connect(instance), instance);
  const report = (
    of: ReturnType<typeof store>,
    claimed: Claimed,
    outcome: Parameters<typeof decide>[1],
  ) => of.report([{ decision: decide(claimed, outcome, call, quick), event: null }], null);
  return { ...all, handle, store, report };
}

const upTo = (itemsMax: number) => ({ itemsMax, bytesMax: 1_000_000 });

test('I5: filing is idempotent: in a batch, across batches, in any letter case, with one event each', async (t) => {
  const { handle, sql, told, row } = await tables(t);
  const [id = ''] = newIds(1);
  const events = [
    orderCreated(id),
    orderCreated(id.toUpperCase()),
    orderCreated(id, { items: [{ productId: 'other', quantity: 1 }] }),
  ];
  await handle(events.map(orderEvent));
  await handle(events.map(orderEvent));
  assert.equal((await sql('SELECT 1 FROM fulfillments')).length, 1);
  assert.partialDeepStrictEqual(await row(id), {
    state: 'Processing',
    attempts: 0,
    claim: 0,
    correlation_id: 'c-1',
    source_partition: 5,
  });
  await until(
    'the event is published and marked',
    async () => (await sql('SELECT 1 FROM outbox')).length === 0,
  );
  assert.deepEqual(
    told(id).map(({ sequence, eventType }) => [sequence, eventType]),
    [[1, 'FulfillmentStarted']],
  );
});

test('a foreign producer may send only what the first schema had; the provider is told nothing further', async (t) => {
  const { handle, row } = await tables(t);
  const [id = ''] = newIds(1);
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  const foreign = JSON.stringify({ ...orderCreated(id), surprise: true }).replace(
    '"customerId"',
    `"vip":${deep},"customerId"`,
  );
  const long = 'x'.repeat(5_000);
  await handle([
    orderEvent(foreign),
    orderEvent(orderCreated(undefined, { customer: { customerId: '', name: long } })),
  ]);
  assert.deepEqual(JSON.parse(String((await row(id))?.payload)), {
    reference: id,
    recipient: { customerId: 'c', name: 'A Name' },
    items: [{ productId: 'p', quantity: 2 }],
  });
});

test('I11: what cannot be read, and what PostgreSQL refuses, is buried alone; its neighbours are filed', async (t) => {
  const { handle, sql } = await tables(t);
  const refused = [
    orderEvent(orderCreated(undefined, { createdAt: '0000-01-01T00:00:00Z' })),
    orderEvent(orderCreated(undefined, { createdAt: '2026-01-01T00:00:00+23:59' })),
  ];
  const unreadable = [
    orderEvent('{'),
    orderEvent(orderCreated('no uuid')),
    orderEvent(orderCreated(undefined, { items: [] })),
  ];
  const good = newIds(50).map((id) => orderEvent(orderCreated(id)));
  const leap = orderEvent(orderCreated(undefined, { createdAt: '2016-12-31T23:59:60Z' }));
  const cancels = ['no uuid', 7].map((orderId) =>
    orderEvent({ eventType: 'OrderCancellationRequested', orderId }),
  );
  const skipped = [orderEvent({ eventType: 'OrderPraised' })];
  await handle([
    ...good.slice(0, 20),
    ...refused,
    ...unreadable,
    ...good.slice(20),
    leap,
    ...skipped,
    ...cancels,
  ]);
  assert.equal((await sql('SELECT 1 FROM fulfillments')).length, 51);
  const letters = await sql<{ offset: string }>(
    'SELECT "offset" FROM dead_letters ORDER BY "offset"',
  );
  assert.deepEqual(
    letters.map((letter) => BigInt(letter.offset)),
    [...refused, ...unreadable, ...cancels].map((event) => event.offset),
  );
  assert.equal((await sql("SELECT 1 FROM outbox WHERE topic = 'order-events.dlq'")).length, 7);
});

test('I4: a claim counts the attempt before the call, and two instances never claim the same row', async (t) => {
  const { handle, store } = await tables(t);
  await handle(newIds(60).map((id) => orderEvent(orderCreated(id))));
  const stores = [store('a'), store('b'), store('c')];
  const claimed = (await Promise.all(stores.map((one) => one.claimDue(upTo(25), times)))).flat();
  assert.equal(claimed.length, 60);
  assert.equal(new Set(claimed.map(({ orderId }) => orderId)).size, 60);
  assert.ok(
    claimed.every(
      (claimed) => claimed.attempts === 1 && claimed.claim === 1 && !claimed.mustLookUp,
    ),
  );
  assert.deepEqual(await stores[0]?.claimDue(upTo(25), times), []);
});

test('I6: a claim that was lost changes nothing any more: neither report nor renewal', async (t) => {
  const { handle, store, report, sql, row } = await tables(t);
  const [id = ''] = newIds(1);
  await handle([orderEvent(orderCreated(id))]);
  const [a, b] = [store('a'), store('b')];
  const [stale] = await a.claimDue(upTo(1), times);
  await sql('UPDATE fulfillments SET due_at = now()');
  const [fresh] = await b.claimDue(upTo(1), times);
  assert.ok(stale && fresh);
  assert.partialDeepStrictEqual(fresh, {
    mustLookUp: true,
    isSettled: false,
    attempts: 1,
    abandoned: 1,
    claim: 2,
  });
  const before = await row(id);
  assert.deepEqual(await report(a, stale, shipped), new Set());
  assert.deepEqual(await a.renew([stale], 60_000), new Set());
  assert.deepEqual(await row(id), before);
  assert.deepEqual(await report(b, fresh, shipped), new Set([id]));
  assert.partialDeepStrictEqual(await row(id), {
    state: 'Shipped',
    due_at: null,
    claimed_by: null,
    tracking_number: 'T',
  });
});

test('a renewal that comes after the report does not put off the next attempt', async (t) => {
  const { handle, store, report, row } = await tables(t);
  const [id = ''] = newIds(1);
  await handle([orderEvent(orderCreated(id))]);
  const a = store('a');
  const [claimed] = await a.claimDue(upTo(1), times);
  assert.ok(claimed);
  assert.deepEqual(await a.renew([claimed], 60_000), new Set([id]));
  await report(a, claimed, { kind: 'not_booked', error: '503', retryAfterMs: 0 });
  const due = (await row(id))?.due_at;
  assert.deepEqual(await a.renew([claimed], 60_000), new Set());
  assert.deepEqual((await row(id))?.due_at, due);
});

test('the settle time begins once, with the first look at what is unknown', async (t) => {
  const { handle, store, report, sql, row } = await tables(t);
  const [id = ''] = newIds(1);
  await handle([orderEvent(orderCreated(id))]);
  const a = store('a');
  const claim = async () => {
    await sql('UPDATE fulfillments SET due_at = now()');
    const [claimed] = await a.claimDue(upTo(1), times);
    assert.ok(claimed);
    return claimed;
  };
  await report(a, await claim(), { kind: 'unknown', error: 'timeout' });
  const settleAt = (await row(id))?.settle_at;
  const second = await claim();
  assert.partialDeepStrictEqual(second, { mustLookUp: true, isSettled: false, abandoned: 0 });
  await report(a, second, { kind: 'not_found' });
  assert.deepEqual((await row(id))?.settle_at, settleAt);
  await until('it is settled', async () =>
    Boolean((await sql('SELECT settle_at <= now() AS s FROM fulfillments'))[0]?.s),
  );
  const third = await claim();
  assert.equal(third.isSettled, true);
  await report(a, third, { kind: 'not_found' });
  assert.partialDeepStrictEqual(await row(id), {
    attempt_open: false,
    settle_at: null,
    attempts: 1,
  });
  assert.partialDeepStrictEqual(await claim(), { mustLookUp: false, attempts: 2 });
});

test('an earlier life under the same name gives its leases back, others keep theirs', async (t) => {
  const { handle, store } = await tables(t);
  await handle(newIds(4).map((id) => orderEvent(orderCreated(id))));
  await store('a').claimDue(upTo(2), times);
  await store('b').claimDue(upTo(2), times);
  await store('a').takeBack();
  const back = await store('c').claimDue(upTo(10), times);
  assert.deepEqual(
    back.map(({ mustLookUp, claim }) => [mustLookUp, claim]),
    [
      [true, 2],
      [true, 2],
    ],
  );
});

test('open fulfillments are counted by state', async (t) => {
  const { connect, handle, store, report } = await tables(t);
  await handle(newIds(3).map((id) => orderEvent(orderCreated(id))));
  const a = store('a');
  const [first, second] = await a.claimDue(upTo(2), times);
  assert.ok(first && second);
  await report(a, first, shipped);
  await report(a, second, { kind: 'not_sent', error: 'x' });
  const counts = Object.fromEntries(
    (await openByState(connect('counter'))).map(({ state, count }) => [state, count]),
  );
  assert.deepEqual(counts, { Processing: 1, Retrying: 1 });
});
