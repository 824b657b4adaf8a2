import assert from 'node:assert/strict';
import { randomUUIDv7 } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { lookAround } from '@orders/platform/test/kit/look-around';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until } from '@orders/platform/test/kit/until';
import {
  createFulfillmentWatch,
  fulfillmentDeadlines,
} from '../../src/operate/watch-fulfillments.ts';
import { fulfillmentTables, orderCreated, orderEvent } from '../fulfillment-instance.ts';
import { scriptedProvider } from '../scripted-provider.ts';

const postgres = await startTestPostgres();
const minute = 60;

type Row = {
  state?: string;
  /** Seconds from now; null when it is final. */
  due?: number | null;
  filed?: number;
  claimedBy?: string;
  settled?: number;
  error?: string;
};

async function watchedTables(t: TestContext) {
  const tables = await fulfillmentTables(t, postgres);
  const { connect, sql } = tables;
  const watch = createFulfillmentWatch(connect('watch'), fulfillmentDeadlines(60_000));
  const fulfillment = async (given: Row = {}): Promise<string> => {
    const { state = 'Retrying', due = minute, filed = -minute, claimedBy, settled, error } = given;
    const orderId = randomUUIDv7();
    await sql(
      `INSERT INTO fulfillments (
         order_id, source_topic, source_partition, source_offset, payload, created_at, filed_at,
         state, sequence, claim, claimed_by, attempts, attempt_open, settle_at, due_at, error)
       VALUES (
         $1, 't', 0, 0, '{}', now(), now() + $2::float8 * interval '1 s', $3, 2, 1, $4, 1,
         $5::float8 IS NOT NULL,
         now() + $5 * interval '1 s', now() + $6::float8 * interval '1 s', $7)`,
      [orderId, filed, state, claimedBy, settled, due, error],
    );
    return orderId;
  };
  const unpublished = (
    key: string,
    secondsAgo: number,
    more: { refused?: string; isLetter?: boolean } = {},
  ) =>
    sql(
      `INSERT INTO outbox (
         key, sequence, topic, event_id, event_type, payload, bytes, created_at, refused,
         claim_until)
       VALUES (
         $1, 2, 't', gen_random_uuid(), 'e', $4, '', now() - $2::float8 * interval '1 s',
         $3, 'infinity')`,
      [key, secondsAgo, more.refused, more.isLetter ? null : '{}'],
    );
  const setBreaker = (state: string) =>
    sql(
      `INSERT INTO instances (instance, breaker_state, breaker_since, call_limit, calls)
       VALUES ('a', $1, now(), 1, 0)
       ON CONFLICT (instance) DO UPDATE SET breaker_state = $1, seen_at = now()`,
      [state],
    );
  return { ...tables, watch, fulfillment, unpublished, setBreaker };
}

test('Each fulfillment over the deadline of its state is stuck for its own reason, the others are not', async (t) => {
  const { watch, fulfillment, unpublished } = await watchedTables(t);
  const expected: Record<string, string> = {};
  expected[await fulfillment({ state: 'Processing', due: -40 })] = 'not_dispatched';
  expected[await fulfillment({ due: -40, claimedBy: 'dead' })] = 'lease_expired';
  expected[await fulfillment({ settled: -11 * minute })] = 'outcome_unknown';
  expected[await fulfillment({ filed: -61 * minute })] = 'over_deadline';
  expected[
    await fulfillment({ settled: -2 * minute, error: 'outcome unknown, waits for an operator' })
  ] = 'awaiting_operator';
  const untold = await fulfillment({ state: 'Shipped', due: null });
  await unpublished(untold, 40);
  expected[untold] = 'not_published';
  const refused = await fulfillment({ state: 'Shipped', due: null });
  await unpublished(refused, 1, { refused: 'too large' });
  expected[refused] = 'refused_by_broker';
  // In time, final, or no order's business.
  await fulfillment({ state: 'Processing', due: -20 });
  await fulfillment({ settled: -9 * minute, claimedBy: 'a', due: 10 });
  await fulfillment({ state: 'Failed', due: null, filed: -10_000 });
  await unpublished(await fulfillment({ state: 'Shipped', due: null }), 20);
  await unpublished('order-events/1/2', 1_000, { isLetter: true });
  const { stuck, recovered } = await lookAround(watch);
  assert.deepEqual(stuck, expected);
  assert.deepEqual(recovered, {});
  const again = await lookAround(watch);
  assert.deepEqual([again.stuck, again.recovered], [{}, {}], 'each is told once');
});

test('What goes on, is final or is published is no longer stuck', async (t) => {
  const { watch, fulfillment, unpublished, sql } = await watchedTables(t);
  const [going, done, untold] = [
    await fulfillment({ due: -40 }),
    await fulfillment({ due: -40 }),
    await fulfillment({ state: 'Shipped', due: null }),
  ];
  await unpublished(untold, 40);
  assert.equal(Object.keys((await lookAround(watch)).stuck).length, 3);
  await sql("UPDATE fulfillments SET due_at = now() + interval '1 minute' WHERE order_id = $1", [
    going,
  ]);
  await sql("UPDATE fulfillments SET due_at = NULL, state = 'Shipped' WHERE order_id = $1", [done]);
  await sql('DELETE FROM outbox');
  const { recovered } = await lookAround(watch);
  assert.deepEqual(recovered, {
    [going]: 'not_dispatched',
    [done]: 'not_dispatched',
    [untold]: 'not_published',
  });
  assert.deepEqual(await sql('SELECT * FROM watched'), []);
});

test('Behind an open breaker a fulfillment stays stuck for that reason, also while it is tried now and then', async (t) => {
  const { watch, fulfillment, setBreaker, sql } = await watchedTables(t);
  await setBreaker('open');
  const orderId = await fulfillment({ due: -40, filed: -2 * minute });
  await fulfillment({ filed: -40 });
  assert.deepEqual((await lookAround(watch)).stuck, { [orderId]: 'breaker_open' });
  await sql("UPDATE fulfillments SET due_at = now() + interval '1 minute'");
  await setBreaker('half_open');
  assert.deepEqual((await lookAround(watch)).recovered, {});
  await setBreaker('closed');
  assert.deepEqual((await lookAround(watch)).recovered, { [orderId]: 'breaker_open' });
  await sql(
    "INSERT INTO breakers (name, mode, changed_by) VALUES ('shipping', 'forced_open', 'ada')",
  );
  assert.deepEqual((await lookAround(watch)).stuck, { [orderId]: 'breaker_open' });
});

test('What is waits for an operator is told as that', async (t) => {
  const { connect, instanceOf, row } = await fulfillmentTables(t, postgres);
  const provider = await scriptedProvider(t);
  provider.post = async () => 'drop';
  const policy = { unknownOutcome: 'hold', settleMs: 1, backoffMs: 5, backoffMaxMs: 10 } as const;
  const a = instanceOf('a', { providerUrl: provider.url, policy });
  const orderId = randomUUIDv7();
  await a.handle([orderEvent(orderCreated(orderId))]);
  a.start();
  await until('it waits', async () =>
    String((await row(orderId))?.error).includes('waits for an operator'),
  );
  const watch = createFulfillmentWatch(connect('watch'), fulfillmentDeadlines(1));
  await until(
    'it is told',
    async () => (await lookAround(watch)).stuck[orderId] === 'awaiting_operator',
  );
});

test('100,000 open fulfillments and as many waiting events are looked through by bounded statements', async (t) => {
  const { watch, sql } = await watchedTables(t);
  await sql(
    `INSERT INTO fulfillments (
       order_id, source_topic, source_partition, source_offset, payload, created_at, state,
       sequence, claim, attempts, attempt_open, due_at)
     SELECT uuidv7(), 't', 0, n, '{}', now(), 'Retrying', 2, 1, 1, false,
       now() + (CASE WHEN n % 2 = 0 THEN -60 ELSE 3600 END + n / 1e6) * interval '1 s'
     FROM generate_series(1, 100000) n`,
  );
  await sql(
    `INSERT INTO outbox (key, sequence, topic, event_id, event_type, payload, claim_until)
     SELECT order_id::text, 2, 't', order_id, 'e', '{}', now() FROM fulfillments`,
  );
  const began = performance.now();
  const { stuck, statements } = await lookAround(watch);
  assert.equal(Object.keys(stuck).length, 50_000);
  t.diagnostic(
    `${statements} statements, ${Math.round((performance.now() - began) / statements)} ms each`,
  );
  assert.ok(statements <= 130, `${statements} statements`);
});
