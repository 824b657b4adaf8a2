import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { RetryTouched } from '@orders/contracts/fulfillments/api';
import { eventIdOf } from '@orders/platform/messaging/event-id';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { fulfillmentStores } from '../fulfillment-instance.ts';
import { operatorApi } from './operator-instance.ts';

const postgres = await startTestPostgres();
const idsOf = (entries: { orderId: string }[]) => entries.map(({ orderId }) => orderId);
const withoutTime = (touched: RetryTouched[]) => touched.map(({ dueAt: _, ...rest }) => rest);
const cancel = `INSERT INTO cancellations (order_id, source_topic, source_partition, source_offset) VALUES ($1, 't', 0, 9)`;

test('a failed fulfillment becomes Retrying with a new budget, is looked up before it is sent, and its event is told', async (t) => {
  const { file, retry, rowOf, sql } = await operatorApi(t, postgres);
  const id = await file({ attempts: 8, abandoned: 1, retries: 7, sequence: 9, claim: 16 });
  const { status, body } = await retry({ orderIds: [id.toUpperCase()] });
  assert.equal(status, 200);
  assert.deepEqual([body.dryRun, body.matched, body.skipped, body.more], [false, 1, [], false]);
  assert.partialDeepStrictEqual(body.touched, [
    { orderId: id, state: 'Failed', attempts: 8, lastError: '422 no parcels' },
  ]);
  const row = await rowOf(id);
  assert.partialDeepStrictEqual(row, {
    state: 'Retrying',
    sequence: 10,
    claim: 17,
    claimed_by: null,
    attempts: 8,
    attempts_before: 7,
    retries: 0,
    attempt_open: true,
    may_resend: true,
    error: '422 no parcels',
  });
  for (const column of ['settle_at', 'retried_at', 'due_at'])
    assert.deepEqual(row[column], row.updated_at, column);
  assert.deepEqual(body.touched[0].dueAt, (row.due_at as Date).toISOString());
  const [event] = await sql<{ payload: string }>('SELECT * FROM outbox');
  assert.partialDeepStrictEqual(event, {
    key: id,
    sequence: 10,
    topic: 'fulfillment-events',
    event_id: eventIdOf('fulfillment-events', id, 10),
    event_type: 'FulfillmentRetrying',
    correlation_id: 'c-1',
    claimed_by: null,
  });
  assert.partialDeepStrictEqual(JSON.parse(String(event?.payload)), {
    orderId: id,
    sequence: 10,
    metadata: { correlationId: 'c-1' },
    fulfillment: {
      status: 'Retrying',
      attempts: 8,
      errorMessage: '422 no parcels',
      failedAttempts: [{ outcome: 'refused' }],
    },
  });
});

test('a dry run touches exactly what the real run then touches, tells the same, and changes nothing', async (t) => {
  const { file, retry, sql } = await operatorApi(t, postgres);
  const later = { due_at: "now() + interval '1 hour'" };
  const touched = [
    await file(),
    await file({ state: 'Retrying', error: '503 busy' }, later),
    await file(
      { state: 'Retrying', attempt_open: true },
      { ...later, settle_at: "now() + interval '1 minute'" },
    ),
    await file(
      { state: 'Retrying', attempt_open: true, claimed_by: 'dead' },
      { due_at: "now() - interval '1 s'" },
    ),
    await file(),
  ];
  await sql(cancel, [touched[4]]);
  const unknown = randomUUID();
  const skipped = [
    await file({ state: 'Processing' }, later),
    await file({ state: 'Shipped' }),
    await file({ state: 'Cancelled' }),
    await file({ state: 'Retrying', attempt_open: true, claimed_by: 'alive' }, later),
    unknown,
  ];
  const orderIds = [...skipped, ...touched, touched[0] ?? ''];
  const before = await sql('SELECT * FROM fulfillments ORDER BY order_id');
  const dry = await retry({ orderIds, dryRun: true });
  assert.deepEqual(idsOf(dry.body.touched), touched);
  assert.deepEqual(idsOf(dry.body.skipped), skipped);
  assert.equal(dry.body.matched, 9);
  assert.deepEqual(await sql('SELECT * FROM fulfillments ORDER BY order_id'), before);
  assert.deepEqual(await sql('SELECT 1 FROM outbox UNION ALL SELECT 1 FROM operator_actions'), []);

  const real = await retry({ orderIds });
  assert.deepEqual(withoutTime(real.body.touched), withoutTime(dry.body.touched));
  assert.deepEqual(real.body.skipped, dry.body.skipped);
  const changed = await sql<{ order_id: string }>(
    'SELECT order_id FROM fulfillments WHERE retried_at IS NOT NULL ORDER BY 1',
  );
  assert.deepEqual(
    changed.map(({ order_id }) => order_id),
    touched,
  );
});

test('an attempt that is open keeps its settle time: a 404 does not count any sooner for the retry', async (t) => {
  const { file, retry, rowOf } = await operatorApi(t, postgres);
  const open = { state: 'Retrying', attempt_open: true, attempts: 3 };
  const unknown = await file(open, {
    settle_at: "now() + interval '1 hour'",
    due_at: "now() + interval '1 minute'",
  });
  const crashed = await file(
    { ...open, claimed_by: 'dead' },
    { due_at: "now() - interval '1 minute'" },
  );
  const before = await rowOf(unknown);
  await retry({ orderIds: [unknown, crashed] });
  assert.deepEqual((await rowOf(unknown)).settle_at, before.settle_at);
  // The claim that takes it up gives it its settle time and does not count the abandoned attempt.
  assert.deepEqual((await rowOf(crashed)).settle_at, null);
});

test('the rate is the distance of the due times, and nothing is put off that was due sooner', async (t) => {
  const { file, retry, rowOf } = await operatorApi(t, postgres);
  const ids = [
    await file(),
    await file(),
    await file({ state: 'Retrying' }, { due_at: "now() + interval '3 s'" }),
  ];
  const { body } = await retry({ orderIds: ids, ratePerSecond: 0.2 });
  const due: { due_at: Date; updated_at: Date }[] = [];
  for (const id of ids) due.push((await rowOf(id)) as { due_at: Date; updated_at: Date });
  const afterMs = due.map(({ due_at, updated_at }) => due_at.getTime() - updated_at.getTime());
  assert.deepEqual(afterMs.slice(0, 2), [0, 5_000]);
  assert.ok((afterMs[2] ?? 0) > 1_500 && (afterMs[2] ?? 0) <= 3_000, `due after ${afterMs[2]} ms`);
  assert.deepEqual(
    body.touched.map(({ dueAt }: RetryTouched) => dueAt),
    due.map(({ due_at }) => due_at.toISOString()),
  );
});

test('what changes between the look and the change is skipped and stays as it is, and the record says so', async (t) => {
  const { connect, file, rowOf, retryStore, sql } = await operatorApi(t, postgres);
  const [taken, free] = [
    await file({ state: 'Retrying' }, { due_at: "now() - interval '1 s'" }),
    await file({ state: 'Failed' }),
  ];
  const candidates = await retryStore.ofOrders([taken, free]);
  const event = { topic: 'fulfillment-events', eventType: 'FulfillmentRetrying', payload: '{}' };
  const writings = candidates.map((candidate) => ({
    candidate,
    dueMs: 0,
    event: {
      ...event,
      key: candidate.orderId,
      sequence: 3,
      eventId: randomUUID(),
      correlationId: null,
      traceparent: null,
    },
  }));
  const [claimed] = await fulfillmentStores(connect('a'), 'a').claimDue(
    { itemsMax: 1, bytesMax: 1_000_000 },
    {
      leaseMs: 15_000,
      settleMs: 0,
    },
  );
  assert.equal(claimed?.orderId, taken);
  const record = { operator: 'ann', reason: 'r', request: {}, skipped: 4 };
  assert.deepEqual([...(await retryStore.retry(writings, record)).keys()], [free]);
  assert.partialDeepStrictEqual(await rowOf(taken), {
    claimed_by: 'a',
    sequence: 2,
    retried_at: null,
  });
  assert.deepEqual(await sql('SELECT key FROM outbox'), [{ key: free }]);
  assert.deepEqual((await sql('SELECT result FROM operator_actions'))[0]?.result, {
    touched: [free],
    skipped: 5,
  });
  // A second run of the same change finds it done.
  assert.deepEqual([...(await retryStore.retry(writings, record)).keys()], []);
});

test('whoever held the row loses its claim to the retry, and its late report changes nothing', async (t) => {
  const { connect, file, retry, rowOf, sql } = await operatorApi(t, postgres);
  const store = fulfillmentStores(connect('a'), 'a');
  const id = await file({ state: 'Retrying' }, { due_at: "now() - interval '1 s'" });
  const claimed = await store.claimDue(
    { itemsMax: 1, bytesMax: 1_000_000 },
    { leaseMs: 15_000, settleMs: 0 },
  );
  await sql("UPDATE fulfillments SET due_at = now() - interval '1 s'");
  assert.deepEqual(idsOf((await retry({ orderIds: [id] })).body.touched), [id]);
  assert.equal((await store.renew(claimed, 15_000)).size, 0);
  assert.partialDeepStrictEqual(await rowOf(id), {
    claimed_by: null,
    attempts: 1 + 1,
    attempt_open: true,
    settle_at: null,
  });
});
