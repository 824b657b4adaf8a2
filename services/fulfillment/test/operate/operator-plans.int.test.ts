import assert from 'node:assert/strict';
import { test } from 'node:test';
import { watchStatements } from '@orders/platform/test/kit/plans';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createFulfillmentQueries } from '../../src/operate/fulfillment-queries.ts';
import { createRetryStore } from '../../src/operate/retry-store.ts';
import { fulfillmentTables } from '../fulfillment-instance.ts';

// Nothing tells the planner how large the tables are: as in the first minutes of a service.
const postgres = await startTestPostgres({ autovacuum: 'off' });
const rows = 100_000;
/** Far above what an index plan takes (single milliseconds), on a busy machine. */
const slowMs = 250;

test('what operators ask for is found through indexes, on a table that grew from nothing', async (t) => {
  const { connect, sql } = await fulfillmentTables(t, postgres);
  const { watched, indexes, assertPlanned } = watchStatements(connect('api', { connections: 1 }));
  const queries = createFulfillmentQueries(watched);
  const retries = createRetryStore(watched);
  async function everyStatement(): Promise<string[]> {
    const page = { limit: 10 } as const;
    await queries.page(page);
    const shown = await queries.page({ ...page, state: 'Failed' });
    const first = shown.items[0]?.orderId ?? '00000000-0000-4000-8000-000000000000';
    await queries.one(first);
    const { candidates } = await retries.ofFilter(
      { state: 'Failed', errorContains: 'x' },
      10,
      undefined,
    );
    await retries.ofOrders([first]);
    const event = {
      topic: 't',
      key: '',
      sequence: 1,
      eventId: '00000000-0000-4000-8000-000000000000',
      eventType: 't',
    };
    const rest = { payload: '{}', correlationId: null, traceparent: null };
    const writings = candidates.map((candidate) => ({
      candidate,
      dueMs: 0,
      event: { ...event, ...rest },
    }));
    await retries.retry(writings, { operator: 'o', reason: 'r', request: {}, skipped: 0 });
    return shown.items.map(({ state }) => state);
  }

  /** The key alone would do too, and would walk past every order that is shipped. */
  async function checkIndexes(): Promise<void> {
    for (const name of ['fulfillment-page-with-attention', 'retry-of-filter']) {
      const used = await indexes(name);
      assert.ok(used.includes('fulfillments_with_attention'), `${name} goes through ${used}`);
    }
    // By the other index it would lock rows in another order than reports do, and compare each row
    // with each order of the request.
    assert.deepEqual(await indexes('fulfillment-retry'), ['fulfillments_pkey']);
  }

  for (let i = 0; i < 10; i += 1) await everyStatement();
  await checkIndexes();
  await sql(
    `INSERT INTO fulfillments (
       order_id, source_topic, source_partition, source_offset, payload, created_at, state,
       sequence, claim, attempts, attempt_open, error)
     SELECT uuidv7(), 't', 0, n, '{}', now(),
       CASE WHEN n % 5000 = 0 THEN 'Failed' ELSE 'Shipped' END, 2, 1, 1, false, 'x'
     FROM generate_series(1, ${rows}) n`,
  );
  assert.equal((await everyStatement()).length, 10);
  await checkIndexes();
  await assertPlanned(t, slowMs);
});
