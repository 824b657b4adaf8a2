import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { operatorApi } from './operator-instance.ts';

const postgres = await startTestPostgres();
const idsOf = (entries: { orderId: string }[]) => entries.map(({ orderId }) => orderId);

test('a filter takes the oldest first, by state, error and time, page by page, each exactly once', async (t) => {
  const { file, retry } = await operatorApi(t, postgres);
  const failed: string[] = [];
  for (let i = 0; i < 5; i += 1)
    failed.push(
      await file({ error: i === 3 ? null : `50${i} Busy`, created_at: `2026-01-2${i}T12:00:00Z` }),
    );
  const retrying = await file({ state: 'Retrying' }, { due_at: "now() + interval '1 hour'" });
  await file({ state: 'Shipped' });
  const find = async (filter: object, more: object = {}) =>
    (await retry({ filter: filter as never, dryRun: true, ...more })).body;
  assert.deepEqual(idsOf((await find({ state: 'Failed' })).touched), failed);
  assert.deepEqual(idsOf((await find({ state: 'Retrying' })).touched), [retrying]);
  assert.deepEqual(idsOf((await find({ state: 'Failed', errorContains: '502 bUSY' })).touched), [
    failed[2],
  ]);
  const inTime = {
    state: 'Failed',
    createdFrom: '2026-01-21T12:00:00Z',
    createdTo: '2026-01-23T13:00:00+01:00',
  };
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
    `INSERT INTO fulfillments (
       order_id, source_topic, source_partition, source_offset, payload, created_at, state,
       sequence, claim, attempts, attempt_open, error)
     SELECT uuidv7(), 't', 0, n, '{}', now(), 'Failed', 2, 1, 1, false, 'common'
     FROM generate_series(1, 20100) n`,
  );
  const rare = await file({ order_id: 'fffffff0-0000-4000-8000-000000000000', error: 'rare' });
  const filter = { state: 'Failed', errorContains: 'RARE' } as const;
  const first = (await retry({ filter, dryRun: true })).body;
  assert.deepEqual([first.matched, first.more], [0, true]);
  const second = (await retry({ filter, dryRun: true, pageToken: first.nextPageToken })).body;
  assert.deepEqual([idsOf(second.touched), second.more], [[rare], false]);
  const all = { state: 'Failed', createdFrom: '2020-01-01T00:00:00Z' } as const;
  const thousand = (await retry({ filter: all, ratePerSecond: 1_000 })).body;
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
  assert.equal(
    (await retry({ filter: { ...filter, createdFrom: '0000-01-01T00:00:00Z' }, dryRun: true }))
      .status,
    200,
  );
  assert.deepEqual(await sql('SELECT 1 FROM operator_actions'), []);
});

test('what operators did is listed newest first, also a retry that found nothing', async (t) => {
  const { ask, file, retry } = await operatorApi(t, postgres);
  const id = await file();
  await retry({ orderIds: [id] });
  const filter = { state: 'Failed', errorContains: '422' } as const;
  await retry({ filter, reason: 'again' });
  await ask(
    'PUT',
    '/api/breakers/shipping',
    { mode: 'forced_open', reason: 'maintenance' },
    { 'x-operator': 'bob' },
  );
  const { status, body } = await ask('GET', '/api/operator-actions');
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
