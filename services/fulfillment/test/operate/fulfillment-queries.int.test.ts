import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { operatorApi } from './operator-instance.ts';

const postgres = await startTestPostgres();

test('fulfillments are listed newest first, page by page, each exactly once', async (t) => {
  const { ask, file } = await operatorApi(t, postgres);
  const ids: string[] = [];
  for (let i = 0; i < 7; i += 1)
    ids.push(await file({ state: i % 2 === 0 ? 'Failed' : 'Shipped' }));
  const newestFirst = ids.toSorted().reverse();
  for (const [query, expected] of [
    ['', newestFirst],
    ['&state=Failed', newestFirst.filter((id) => ids.indexOf(id) % 2 === 0)],
    ['&state=Shipped', newestFirst.filter((id) => ids.indexOf(id) % 2 === 1)],
    ['&state=Cancelled', []],
  ] as const) {
    const seen: string[] = [];
    let token: string | null = '';
    while (token !== null) {
      const page = await ask(
        'GET',
        `/api/fulfillments?limit=2${query}${token && `&pageToken=${token}`}`,
      );
      assert.equal(page.status, 200);
      assert.ok(page.body.items.length <= 2);
      seen.push(...page.body.items.map(({ orderId }: { orderId: string }) => orderId));
      token = page.body.nextPageToken;
    }
    assert.deepEqual(seen, expected, query);
  }
});

test('a page that searches for a state without an index ends after its budget of rows, and the next one goes on', async (t) => {
  const { ask, sql, file } = await operatorApi(t, postgres);
  const processing = await file({
    order_id: '00000000-0000-4000-8000-000000000000',
    state: 'Processing',
  });
  await sql(
    `INSERT INTO fulfillments (
       order_id, source_topic, source_partition, source_offset, payload, created_at, state,
       sequence, claim, attempts, attempt_open)
     SELECT uuidv7(), 't', 0, n, '{}', now(), 'Shipped', 2, 1, 1, false
     FROM generate_series(1, 2500) n`,
  );
  const first = await ask('GET', '/api/fulfillments?state=Processing');
  assert.deepEqual(first.body.items, []);
  assert.ok(first.body.nextPageToken);
  const second = await ask(
    'GET',
    `/api/fulfillments?state=Processing&pageToken=${first.body.nextPageToken}`,
  );
  assert.deepEqual(
    second.body.items.map(({ orderId }: { orderId: string }) => orderId),
    [processing],
  );
  assert.equal(second.body.nextPageToken, null);
});

test('a fulfillment is shown with its attempts, its lease, its source and what is to be shipped', async (t) => {
  const { ask, file, sql } = await operatorApi(t, postgres);
  const claimed = await file(
    { state: 'Retrying', claimed_by: 'host-1', attempt_open: true, attempts: 2 },
    { due_at: "now() + interval '10 s'" },
  );
  await sql(
    'INSERT INTO cancellations (order_id, source_topic, source_partition, source_offset) VALUES ($1, $2, 0, 9)',
    [claimed, 'order-events'],
  );
  const { status, body } = await ask('GET', `/api/fulfillments/${claimed.toUpperCase()}`);
  assert.equal(status, 200);
  assert.partialDeepStrictEqual(body, {
    orderId: claimed,
    state: 'Retrying',
    attempts: 2,
    errorMessage: '422 no parcels',
    trackingNumber: null,
    createdAt: '2026-01-20T21:00:00.000Z',
    dueAt: null,
    isAttemptOpen: true,
    sequence: 2,
    failedAttempts: [
      {
        at: '2026-01-20T21:09:00.000Z',
        outcome: 'refused',
        error: '422 no parcels',
        durationMs: 12,
      },
    ],
    lease: { claimedBy: 'host-1' },
    retriedAt: null,
    source: { topic: 'order-events', partition: 5, offset: '7' },
    recipient: { customerId: 'c', name: 'A Name' },
    items: [{ productId: 'p', quantity: 2 }],
    correlationId: 'c-1',
  });
  assert.ok(Date.parse(body.lease.leaseUntil) > Date.now());
  assert.ok(Date.parse(body.cancelRequestedAt) <= Date.now() + 1_000);
  const waiting = await file({ state: 'Retrying' }, { due_at: "now() + interval '10 s'" });
  const shown = (await ask('GET', `/api/fulfillments/${waiting}`)).body;
  assert.deepEqual([shown.lease, shown.cancelRequestedAt], [null, null]);
  assert.ok(Date.parse(shown.dueAt) > Date.now());
});

test('what is not there is 404, what is not valid 400 with its place', async (t) => {
  const { ask } = await operatorApi(t, postgres);
  const missing = await ask('GET', `/api/fulfillments/${randomUUID()}`);
  assert.deepEqual([missing.status, missing.body.code], [404, 'fulfillment_not_found']);
  for (const [url, parameter] of [
    ['/api/fulfillments/no-uuid', 'orderId'],
    ['/api/fulfillments?state=Pending', 'state'],
    ['/api/fulfillments?limit=201', 'limit'],
    ['/api/fulfillments?pageToken=xyz', 'pageToken'],
    ['/api/fulfillments?status=Failed', 'status'],
  ]) {
    const { status, body } = await ask('GET', url as string);
    assert.deepEqual([status, body.errors[0].parameter], [400, parameter], url);
  }
});
