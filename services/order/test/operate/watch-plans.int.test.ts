import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createDeadLetterStore } from '@orders/platform/operate/dead-letter-store';
import { createSentinelStore } from '@orders/platform/operate/sentinel-store';
import { lookAround } from '@orders/platform/test/kit/look-around';
import { watchStatements } from '@orders/platform/test/kit/plans';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createOrderRepublish } from '../../src/operate/republish-orders.ts';
import { createOrderWatch, orderDeadlines, watchedOrders } from '../../src/operate/watch-orders.ts';
import { orderTables } from '../order-instance.ts';

// Nothing tells the planner how large the tables are: as in the first minutes of a service.
const postgres = await startTestPostgres({ autovacuum: 'off' });
const rows = 100_000;
/**
 * Far above what an index plan takes, also of 5,000 rows, and far below a look at every row, on a
 * busy machine.
 */
const slowMs = 500;
const request = { limit: 100, ratePerSecond: 1_000, reason: 'r' };

test('what the sentinel and operators ask for is found through indexes, on tables that grew from nothing', async (t) => {
  const { connect, sql } = await orderTables(t, postgres);
  const { watched, indexes, assertPlanned } = watchStatements(connect('a', { connections: 1 }));
  const watch = createOrderWatch(watched, orderDeadlines(60_000));
  const sentinel = createSentinelStore(watched, 'a', watchedOrders);
  const letters = createDeadLetterStore(watched);
  const republish = createOrderRepublish(watched);
  const record = { operator: 'o', action: 'a', reason: 'r', request: {}, result: {} };

  async function everyStatement(): Promise<void> {
    await sentinel.hold(30_000);
    await lookAround(watch);
    await sentinel.counts();
    await sentinel.page({ limit: 50 });
    for (const query of [{}, { resolved: false }, { resolved: true }]) {
      const { items } = await letters.page({ limit: 50, ...query });
      const id = items[0]?.id ?? 'fulfillment-events:0:0';
      await letters.one(id);
      await letters.resolve(id, 'discarded', record);
    }
    for (const status of ['Shipped', 'Retrying'] as const) {
      await republish({ ...request, filter: { status }, dryRun: true }, 'o');
      await republish({ ...request, filter: { status, olderThanSeconds: 1 }, dryRun: false }, 'o');
    }
  }

  for (let i = 0; i < 10; i += 1) await everyStatement();
  await sql(
    `INSERT INTO orders (
       order_id, customer_id, customer_name, items, item_count, created_at, status, publish_failed,
       attention, updated_at)
     SELECT uuidv7(-interval '1 hour'), 'c', 'n', '[]', 1, now(), s, false,
       CASE WHEN s = 'Retrying' THEN s END, now() - interval '1 hour'
     FROM (
       SELECT CASE WHEN n % 100 = 0 THEN 'Retrying' ELSE 'Shipped' END AS s
       FROM generate_series(1, ${rows}) n) made`,
  );
  await sql(
    `INSERT INTO dead_letters (topic, partition, "offset", value, headers, reason, at, resolution)
     SELECT 'fulfillment-events', 0, n, '', '{}', 'r', now() + n * interval '1 ms',
       CASE WHEN n % 100 > 0 THEN 'discarded' END
     FROM generate_series(1, ${rows}) n`,
  );
  await everyStatement();
  await everyStatement();
  await assertPlanned(t, slowMs);
  for (const [name, index] of [
    ['dead-letter-page-open', 'dead_letters_open'],
    ['dead-letter-page-resolved', 'dead_letters_resolved'],
    ['republish-find-indexed', 'orders_with_attention'],
    ['sentinel-page', 'watched_stuck'],
  ] as const) {
    const used = await indexes(name);
    assert.ok(used.includes(index), `${name} goes through ${used}`);
  }
});
