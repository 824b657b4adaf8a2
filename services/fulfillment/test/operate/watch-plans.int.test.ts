import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSentinelStore } from '@orders/platform/operate/sentinel-store';
import { lookAround } from '@orders/platform/test/kit/look-around';
import { watchStatements } from '@orders/platform/test/kit/plans';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createFulfillmentRepublish } from '../../src/operate/republish-fulfillments.ts';
import {
  createFulfillmentWatch,
  fulfillmentDeadlines,
  watchedFulfillments,
} from '../../src/operate/watch-fulfillments.ts';
import { fulfillmentTables } from '../fulfillment-instance.ts';

// Nothing tells the planner how large the tables are: as in the first minutes of a service.
const postgres = await startTestPostgres({ autovacuum: 'off' });
const rows = 100_000;
/**
 * Far above what an index plan takes, also of 2,000 rows, and far below a look at every row, on a
 * busy machine.
 */
const slowMs = 500;
const request = { limit: 100, ratePerSecond: 1_000, reason: 'r' };

test('what the sentinel looks for is found through indexes, on tables that grew from nothing', async (t) => {
  const { connect, sql } = await fulfillmentTables(t, postgres);
  const { watched, indexes, assertPlanned } = watchStatements(connect('a', { connections: 1 }));
  const watch = createFulfillmentWatch(watched, fulfillmentDeadlines(60_000));
  const sentinel = createSentinelStore(watched, 'a', watchedFulfillments);
  const republish = createFulfillmentRepublish(watched);

  async function everyStatement(): Promise<void> {
    await sentinel.hold(30_000);
    await lookAround(watch);
    await sentinel.counts();
    await sentinel.page({ limit: 50 });
    for (const state of ['Shipped', 'Retrying'] as const) {
      await republish({ ...request, filter: { state }, dryRun: true }, 'o');
      await republish({ ...request, filter: { state, olderThanSeconds: 1 }, dryRun: false }, 'o');
    }
  }

  for (let i = 0; i < 10; i += 1) await everyStatement();
  await sql(
    `INSERT INTO fulfillments (
       order_id, source_topic, source_partition, source_offset, payload, created_at, filed_at,
       state, sequence, claim, attempts, attempt_open, due_at, updated_at)
     SELECT uuidv7(), 't', 0, n, '{}', now(), now() - interval '2 hours',
       CASE WHEN n % 20 = 0 THEN 'Retrying' ELSE 'Shipped' END, 2, 1, 1,
       false, CASE WHEN n % 20 = 0 THEN now() + (n - ${rows / 2}) * interval '1 s' END,
       now() - interval '1 minute'
     FROM generate_series(1, ${rows}) n`,
  );
  await everyStatement();
  await everyStatement();
  // There is one row for each running instance, and counting what is stuck reads all of that.
  const mayRead = (table: string, name: string) =>
    table === 'instances' || (name === 'sentinel-counts' && table === 'watched');
  await assertPlanned(t, slowMs, mayRead);
  for (const [name, index] of [
    ['watch-open', 'fulfillments_due'],
    ['republish-find-indexed', 'fulfillments_with_attention'],
  ] as const) {
    const used = await indexes(name);
    assert.ok(used.includes(index), `${name} goes through ${used}`);
  }
});
