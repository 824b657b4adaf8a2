import { test } from 'node:test';
import { createOutboxStore, type OutboxRow } from '@orders/platform/messaging/outbox-store';
import { watchStatements } from '@orders/platform/test/kit/plans';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createOrderChangesStore } from '../src/change-log.ts';
import { toProjected } from '../src/order.ts';
import { cancellationRequested } from '../src/order-events.ts';
import { createOrderQueries } from '../src/show/order-queries.ts';
import { createCancellationStore } from '../src/take/cancellation-store.ts';
import { type Placement, toPlacement } from '../src/take/placement.ts';
import { fulfillmentEvent } from './fulfillment-events.ts';
import { newOrder, orderStores, orderTables, trace } from './order-instance.ts';

// Nothing tells the planner how large the tables are: as in the first minutes of a service.
const postgres = await startTestPostgres({ autovacuum: 'off' });
const rows = 200_000;
/**
 * Far above what an index plan takes (single milliseconds) and far below a look at every row, on a
 * busy machine.
 */
const slowMs = 250;

test('every hot statement of the Order Service stays an index plan on a table that grew from nothing', async (t) => {
  const { connect, sql } = await orderTables(t, postgres);
  const { watched, assertPlanned } = watchStatements(connect('a', { connections: 1 }));
  const store = orderStores(watched);
  const outbox = createOutboxStore(watched, 'a');
  const queries = createOrderQueries(watched);
  const changes = createOrderChangesStore(watched);
  const cancellations = createCancellationStore(watched);
  const cancellation = (orderId: string) => {
    const request = { orderId, reason: null, requestedAt: new Date() };
    const event = cancellationRequested({ ...request, correlationId: null, traceparent: null });
    return { ...request, event, instance: 'a', claimMs: 1 };
  };
  let round = 0;

  const toRow = ({ event }: Placement): OutboxRow => event;
  async function everyStatement(size: number): Promise<void> {
    round += 1;
    const hot = { instance: 'a', claimMs: 10_000 };
    const batch = Array.from({ length: size }, () => toPlacement(newOrder(), trace));
    const keyed = Array.from({ length: size }, (_, i) => ({
      ...toPlacement(newOrder(), trace),
      scope: '',
      key: `${round}-${i}`,
      hash: 'h',
    }));
    const ids = batch.map(({ orderId }) => orderId);
    await store.place(batch, hot);
    await store.placeKeyed(keyed, { ...hot, claimMs: null });
    await store.knownKeys(keyed);
    await store.stored(ids);
    await store.markPending(ids);
    await store.clearPublishFailed(ids);
    const event = {
      topic: 'fulfillment-events',
      partition: 0,
      offset: 1n,
      key: '',
      value: Buffer.alloc(0),
      headers: {},
      publishedAt: new Date(),
    };
    await store.project(
      'fulfillment-events',
      ids.toSorted().map((id) => ({ ...toProjected(fulfillmentEvent(id, 2, 'Shipped')), event })),
      [],
    );
    await cancellations.request(cancellation(batch[0]?.orderId ?? ''));
    const { snapshot } = await changes.since(null);
    await store.markPending(ids);
    await changes.since(snapshot);
    await changes.purge(120, 1_000);
    const claimed = await outbox.claim({ itemsMax: 500, bytesMax: 4_000_000, claimMs: 10_000 });
    await outbox.release(claimed, 0);
    await outbox.mark([...batch, ...keyed].map(toRow));
    await store.purgeKeys(24, 1_000);
    await queries.one(ids[0] ?? '');
    await queries.some(ids);
    await queries.history(ids[0] ?? '');
    await queries.page({ limit: 50 });
    await queries.page({ limit: 50, status: 'Shipped' });
    await queries.page({ limit: 50, status: 'Failed' });
    await queries.page({ limit: 50, customerId: 'customer 7' });
  }

  for (let i = 0; i < 10; i += 1) await everyStatement(1);
  await sql(
    `WITH made AS (
       SELECT n,
         (lpad(to_hex(1700000000000 + n), 12, '0') || '7000' || '8'
           || substr(md5(n::text), 1, 15))::uuid AS id
                   FROM generate_series(1, ${rows}) n),
     orders AS (
       INSERT INTO orders (
         order_id, customer_id, customer_name, items, item_count, created_at, status,
         publish_failed,
                  attention, updated_at)
                SELECT id, 'customer ' || n % 1000, 'n', '[]', 1, now(), s, false,
                  CASE WHEN s = 'Failed' THEN s END, now()
                FROM (
                  SELECT n, id, CASE WHEN n % 500 = 0 THEN 'Failed' ELSE 'Shipped' END AS s
                  FROM made) m)
     INSERT INTO idempotency_keys SELECT '', n::text, 'h', id, 'Created', now() FROM made`,
  );
  await everyStatement(1);
  await everyStatement(250);
  await assertPlanned(t, slowMs);
});
