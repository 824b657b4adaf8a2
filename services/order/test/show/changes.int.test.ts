import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { OrderStatus } from '@orders/contracts/orders/api';
import { intercept, silentLog, startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { until, within } from '@orders/platform/test/kit/until';
import { createOrderChangesStore } from '../../src/change-log.ts';
import { toProjected } from '../../src/order.ts';
import { createOrderChanges } from '../../src/show/changes.ts';
import { createOrderQueries } from '../../src/show/order-queries.ts';
import { toPlacement } from '../../src/take/placement.ts';
import { fulfillmentEvent } from '../fulfillment-events.ts';
import { newOrder, orderStores, orderTables, trace } from '../order-instance.ts';

const postgres = await startTestPostgres();

/**
 * One instance that changes orders, and another, `changes`, where they are followed; `hold` keeps
 * its statements waiting.
 */
async function instances(t: TestContext) {
  const { connect, sql, count } = await orderTables(t, postgres);
  const [store, database] = [orderStores(connect('writer')), connect('follower')];
  const state = { statements: 0, fails: false };
  const watched = intercept(database, (_name, run) => {
    state.statements += 1;
    return state.fails ? Promise.reject(new Error('away')) : run();
  });
  const changesStore = createOrderChangesStore(watched);
  const changes = createOrderChanges({
    store: changesStore,
    queries: createOrderQueries(watched),
    log: silentLog,
  });
  t.after(() => changes.close());
  return {
    connect,
    sql,
    count,
    state,
    changes,
    changesStore,
    async place() {
      const placement = toPlacement(newOrder(), trace);
      await store.place([placement], {
        instance: 'writer',
        claimMs: 10_000,
      });
      return placement.orderId;
    },
    async project(
      orderId: string,
      sequence: number,
      status: 'Processing' | 'Retrying' | 'Shipped',
    ) {
      const event = {
        topic: 'f',
        partition: 0,
        offset: 1n,
        key: '',
        value: Buffer.alloc(0),
        headers: {},
        publishedAt: new Date(),
      };
      await store.project(
        'f',
        [{ ...toProjected(fulfillmentEvent(orderId, sequence, status)), event }],
        [],
      );
    },
  };
}

function follower(orderId: string | null) {
  const told: { orderId: string; status: OrderStatus }[] = [];
  const state = { told, ended: 0 };
  return {
    ...state,
    orderId,
    told,
    statuses: () => told.map(({ status }) => status),
    notify: (order: { orderId: string; status: OrderStatus }) => void told.push(order),
    end() {
      this.ended += 1;
    },
  };
}

test('who watches an order is told its present state and then what another instance makes of it', async (t) => {
  const { changes, place, project } = await instances(t);
  const [orderId, other] = [await place(), await place()];
  await project(orderId, 1, 'Processing');
  const one = follower(orderId);
  const stop = await changes.follow(one);
  await until('the present state', () => one.told.length === 1);
  await project(other, 1, 'Processing');
  await project(orderId, 2, 'Shipped');
  await until('the change', () => one.told.length === 2);
  assert.deepEqual(one.statuses(), ['Processing', 'Shipped']);
  assert.ok(one.told.every((order) => order.orderId === orderId));
  stop();
});

test('who watches all orders is told of every change from then on, new orders among them, and of none before', async (t) => {
  const { changes, place, project } = await instances(t);
  const before = await place();
  const all = follower(null);
  await changes.follow(all);
  const orderIds = [await place(), await place(), await place()];
  await Promise.all(orderIds.map((id) => project(id, 1, 'Shipped')));
  await until('all are told', () =>
    orderIds.every((id) => all.told.some((o) => o.orderId === id && o.status === 'Shipped')),
  );
  assert.ok(all.told.every(({ orderId }) => orderId !== before));
});

test('a change is told although its transaction began before, and ended after, others that were seen', async (t) => {
  const { changes, place, connect, sql } = await instances(t);
  const [slow, quick] = [await place(), await place()];
  const all = follower(null);
  const [written, mayCommit] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const committed = connect('slow').withConnection(async (client) => {
    await client.query('BEGIN');
    await client.query('INSERT INTO order_changes (order_ids) VALUES ($1)', [[slow]]);
    written.resolve();
    await mayCommit.promise;
    await client.query('COMMIT');
  });
  await written.promise;
  await changes.follow(all);
  await sql('INSERT INTO order_changes (order_ids) VALUES ($1)', [[quick]]);
  await until('the quick one is told', () => all.told.length === 1);
  mayCommit.resolve();
  await committed;
  await until('the slow one is told', () => all.told.length === 2);
  changes.ring();
  await sql('INSERT INTO order_changes (order_ids) VALUES ($1)', [[quick]]);
  await until('the quick one is told again', () => all.told.length === 3);
  assert.deepEqual(
    all.told.map(({ orderId }) => orderId),
    [quick, slow, quick],
  );
});

test('nothing is lost while the database is away, and who comes then is told that it is', async (t) => {
  const { changes, place, project, state } = await instances(t);
  const orderId = await place();
  const one = follower(orderId);
  await changes.follow(one);
  await until('the present state', () => one.told.length === 1);
  state.fails = true;
  await project(orderId, 1, 'Shipped');
  const failures = state.statements + 2;
  await until('it fails', () => state.statements >= failures);
  state.fails = false;
  await until('the change', () => one.told.length === 2);
  const alone = await instances(t);
  alone.state.fails = true;
  await assert.rejects(within('the answer', alone.changes.follow(follower(null)), 5_000), {
    code: 'store_unavailable',
  });
});

test('while nobody watches nothing is read, and rings cost nothing', async (t) => {
  const { changes, place, state } = await instances(t);
  await place();
  changes.ring();
  const stop = await changes.follow(follower(null));
  assert.ok(state.statements > 0);
  stop();
  const { statements } = state;
  const again = follower(await place());
  const stopAgain = await changes.follow(again);
  await until('the present state', () => again.told.length === 1);
  assert.ok(state.statements > statements);
  stopAgain();
});

test('there is a bound of followers, and closing ends them all', async (t) => {
  const { changes } = await instances(t);
  const many = Array.from({ length: 1_000 }, () => follower(null));
  await Promise.all(many.map((one) => changes.follow(one)));
  await assert.rejects(changes.follow(follower(null)), { code: 'overloaded', status: 503 });
  await changes.close();
  assert.ok(many.every(({ ended }) => ended === 1));
  await assert.rejects(changes.follow(follower(null)), { code: 'overloaded' });
});

test('changes are kept for minutes and purged a bounded number at a time', async (t) => {
  const { changesStore, sql, count } = await instances(t);
  for (const seconds of [119, 121, 300, 400])
    await sql(
      `INSERT INTO order_changes (at, order_ids) VALUES (now() - ${seconds} * interval '1 s', '{}')`,
    );
  assert.equal(await changesStore.purge(120, 2), 2);
  assert.equal(await changesStore.purge(120, 2), 1);
  assert.equal(await count('order_changes'), 1);
});
