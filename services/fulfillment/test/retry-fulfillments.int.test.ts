import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import type { RetryTouched } from '@orders/contracts/fulfillments-api';
import { eventIdOf } from '@orders/platform/event-id';
import { startTestPostgres } from '@orders/platform/test/test-postgres';
import { createFulfillmentStore } from '../src/fulfillment-store.ts';
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
  for (const column of ['settle_at', 'retried_at', 'due_at']) assert.deepEqual(row[column], row.updated_at, column);
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
    await file({ state: 'Retrying', attempt_open: true }, { ...later, settle_at: "now() + interval '1 minute'" }),
    await file({ state: 'Retrying', attempt_open: true, claimed_by: 'dead' }, { due_at: "now() - interval '1 s'" }),
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
  assert.deepEqual(await sql('SELECT 1 FROM outbox UNION ALL SELECT 1 FROM replays'), []);

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
  const unknown = await file(open, { settle_at: "now() + interval '1 hour'", due_at: "now() + interval '1 minute'" });
  const crashed = await file({ ...open, claimed_by: 'dead' }, { due_at: "now() - interval '1 minute'" });
  const before = await rowOf(unknown);
  await retry({ orderIds: [unknown, crashed] });
  assert.deepEqual((await rowOf(unknown)).settle_at, before.settle_at);
  // The claim that takes it up gives it its settle time and does not count the abandoned attempt.
  assert.deepEqual((await rowOf(crashed)).settle_at, null);
});

test('the rate is the distance of the due times, and nothing is put off that was due sooner', async (t) => {
  const { file, retry, rowOf } = await operatorApi(t, postgres);
  const ids = [await file(), await file(), await file({ state: 'Retrying' }, { due_at: "now() + interval '3 s'" })];
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
  const [held] = await createFulfillmentStore(connect('a'), 'a').claimDue(1, { leaseMs: 15_000, settleMs: 0 });
  assert.equal(held?.orderId, taken);
  const record = { operator: 'ann', reason: 'r', request: {}, skipped: 4 };
  assert.deepEqual([...(await retryStore.retry(writings, record)).keys()], [free]);
  assert.partialDeepStrictEqual(await rowOf(taken), { claimed_by: 'a', sequence: 2, retried_at: null });
  assert.deepEqual(await sql('SELECT key FROM outbox'), [{ key: free }]);
  assert.deepEqual((await sql('SELECT result FROM replays'))[0]?.result, { touched: [free], skipped: 5 });
  // A second run of the same change finds it done.
  assert.deepEqual([...(await retryStore.retry(writings, record)).keys()], []);
});

test('whoever held the row loses its claim to the retry, and its late report changes nothing', async (t) => {
  const { connect, file, retry, rowOf, sql } = await operatorApi(t, postgres);
  const store = createFulfillmentStore(connect('a'), 'a');
  const id = await file({ state: 'Retrying' }, { due_at: "now() - interval '1 s'" });
  const held = await store.claimDue(1, { leaseMs: 15_000, settleMs: 0 });
  await sql("UPDATE fulfillments SET due_at = now() - interval '1 s'");
  assert.deepEqual(idsOf((await retry({ orderIds: [id] })).body.touched), [id]);
  assert.equal((await store.renew(held, 15_000)).size, 0);
  assert.partialDeepStrictEqual(await rowOf(id), {
    claimed_by: null,
    attempts: 1 + 1,
    attempt_open: true,
    settle_at: null,
  });
});

test('a filter takes the oldest first, by state, error and time, page by page, each exactly once', async (t) => {
  const { file, retry } = await operatorApi(t, postgres);
  const failed: string[] = [];
  for (let i = 0; i < 5; i += 1)
    failed.push(await file({ error: i === 3 ? null : `50${i} Busy`, created_at: `2026-01-2${i}T12:00:00Z` }));
  const retrying = await file({ state: 'Retrying' }, { due_at: "now() + interval '1 hour'" });
  await file({ state: 'Shipped' });
  const find = async (filter: object, more: object = {}) =>
    (await retry({ filter: filter as never, dryRun: true, ...more })).body;
  assert.deepEqual(idsOf((await find({ state: 'Failed' })).touched), failed);
  assert.deepEqual(idsOf((await find({ state: 'Retrying' })).touched), [retrying]);
  assert.deepEqual(idsOf((await find({ state: 'Failed', errorContains: '502 bUSY' })).touched), [failed[2]]);
  const inTime = { state: 'Failed', createdFrom: '2026-01-21T12:00:00Z', createdTo: '2026-01-23T13:00:00+01:00' };
  assert.deepEqual(idsOf((await find(inTime)).touched), failed.slice(1, 4));

  const seen: string[] = [];
  let pageToken: string | undefined;
  do {
    const page = await find({ state: 'Failed' }, { limit: 2, ...(pageToken && { pageToken }) });
    assert.equal(page.more, page.nextPageToken !== null);
    seen.push(...idsOf(page.touched));
    pageToken = page.nextPageToken ?? undefined;
  } while (pageToken !== undefined);
  assert.deepEqual(seen, failed);
});

test('a search for a rare error ends after its budget of rows, and the next page goes on', async (t) => {
  const { file, retry, sql } = await operatorApi(t, postgres);
  await sql(
    `INSERT INTO fulfillments (order_id, source_topic, source_partition, source_offset, payload, created_at, state, sequence, claim,
       attempts, attempt_open, error) SELECT uuidv7(), 't', 0, n, '{}', now(), 'Failed', 2, 1, 1, false, 'common' FROM generate_series(1, 20100) n`,
  );
  const rare = await file({ order_id: 'fffffff0-0000-4000-8000-000000000000', error: 'rare' });
  const filter = { state: 'Failed', errorContains: 'RARE' } as const;
  const first = (await retry({ filter, dryRun: true })).body;
  assert.deepEqual([first.matched, first.more], [0, true]);
  const second = (await retry({ filter, dryRun: true, pageToken: first.nextPageToken })).body;
  assert.deepEqual([idsOf(second.touched), second.more], [[rare], false]);
  const thousand = (await retry({ filter: { state: 'Failed' }, ratePerSecond: 1_000 })).body;
  assert.deepEqual([thousand.touched.length, thousand.more], [1_000, true]);
});

test('a retry that is not valid is refused with every fault and its place, and nothing is recorded', async (t) => {
  const { ask, retry, sql } = await operatorApi(t, postgres);
  const id = randomUUID();
  const filter = { state: 'Failed' } as const;
  const faults: [object, string][] = [
    [{}, '/orderIds'],
    [{ orderIds: [id], filter }, '/filter'],
    [{ orderIds: [] }, '/orderIds'],
    [{ orderIds: Array(1_001).fill(id) }, '/orderIds'],
    [{ orderIds: ['x'] }, '/orderIds/0'],
    [{ filter: { state: 'Shipped' } }, '/filter/state'],
    [{ filter: { ...filter, createdFrom: 'yesterday' } }, '/filter/createdFrom'],
    [{ filter: { ...filter, createdTo: '2016-12-31T23:59:60Z' } }, '/filter/createdTo'],
    [{ filter: { ...filter, errorContains: '\u0000' } }, '/filter/errorContains'],
    [{ filter, pageToken: 'x' }, '/pageToken'],
    [{ filter, ratePerSecond: 0 }, '/ratePerSecond'],
    [{ filter, limit: 1_001 }, '/limit'],
    [{ filter, reason: ' ' }, '/reason'],
    [{ filter, dryrun: true }, '/dryrun'],
  ];
  for (const [request, pointer] of faults) {
    const { status, body } = await retry(request);
    assert.deepEqual([status, body.errors?.[0]?.pointer], [400, pointer], JSON.stringify(request));
  }
  for (const headers of [{}, { 'x-operator': '' }]) {
    const { status, body } = await ask('POST', '/api/fulfillments/retry', { filter }, headers);
    assert.deepEqual(
      [status, body.errors.map((fault: object) => Object.values(fault)[0])],
      [400, ['/reason', 'x-operator']],
    );
  }
  assert.equal((await retry({ filter: { ...filter, createdFrom: '0000-01-01T00:00:00Z' }, dryRun: true })).status, 200);
  assert.deepEqual(await sql('SELECT 1 FROM replays'), []);
});

test('what operators did is listed newest first, also a retry that found nothing', async (t) => {
  const { ask, file, retry } = await operatorApi(t, postgres);
  const id = await file();
  await retry({ orderIds: [id] });
  await retry({ filter: { state: 'Failed' }, reason: 'again' });
  await ask('PUT', '/api/breakers/shipping', { mode: 'forced_open', reason: 'maintenance' }, { 'x-operator': 'bob' });
  const { status, body } = await ask('GET', '/api/replays');
  assert.equal(status, 200);
  assert.partialDeepStrictEqual(body.items, [
    {
      operator: 'bob',
      action: 'set_breaker',
      reason: 'maintenance',
      request: { name: 'shipping', mode: 'forced_open' },
    },
    { operator: 'ann', action: 'retry', reason: 'again', result: { touched: [], skipped: 0 } },
    {
      operator: 'ann',
      action: 'retry',
      reason: 'the provider works again',
      request: { orderIds: [id], ratePerSecond: 10 },
      result: { touched: [id], skipped: 0 },
    },
  ]);
  assert.equal(body.items.length, 3);
});
