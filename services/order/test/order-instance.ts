import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { NewOrder } from '@orders/contracts/orders/api';
import { createOutboxRelay } from '@orders/platform/messaging/outbox-relay';
import { createOutboxStore } from '@orders/platform/messaging/outbox-store';
import type { Database } from '@orders/platform/postgres/database';
import { createMetrics } from '@orders/platform/process/metrics';
import { createFakeBroker } from '@orders/platform/test/kit/fake-broker';
import { silentLog, type TestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createProjectionStore } from '../src/show/projection-store.ts';
import { createPlaceOrder } from '../src/take/place-order.ts';
import { createPlacingStore } from '../src/take/placing-store.ts';
import { createPublishFailedStore } from '../src/take/publish-failed-store.ts';

export const migrations = join(import.meta.dirname, '../migrations');

export const trace = { correlationId: 'test', traceparent: null };

export const newOrder = (more: Partial<NewOrder> = {}): NewOrder => ({
  customerId: 'customer',
  customerName: 'A Name',
  currency: 'GBP',
  items: [{ productId: 'p', quantity: 2, unitPrice: 19.99 }],
  ...more,
});

/** The stores of all stations on one database. */
export const orderStores = (database: Database) => ({
  ...createPlacingStore(database),
  ...createPublishFailedStore(database),
  ...createProjectionStore(database),
});

/**
 * Tables of the Order Service on a schema of their own, and as many instances of the placing
 * station as a test wants.
 */
export async function orderTables(t: TestContext, postgres: TestPostgres) {
  const { connect, sql, schema } = await postgres.schema(t, migrations);
  const fake = createFakeBroker();
  /** `through` may hold up or break the statements of this instance. */
  const instanceOf = (
    instance: string,
    options: { url?: string; through?: (database: Database) => Database } = {},
  ) => {
    const { through = (database: Database) => database, ...where } = options;
    const database = through(connect(instance, where));
    const store = orderStores(database);
    const relay = createOutboxRelay({
      name: instance,
      store: createOutboxStore(connect(`${instance}-relay`, { relaxed: true }), instance),
      broker: fake.broker,
      log: silentLog,
      metrics: createMetrics(instance),
      events: {
        onFailed: (rows) => store.markPending(rows.map(({ key }) => key)),
        onRecovered: (rows) => store.clearPublishFailed(rows.map(({ key }) => key)),
      },
    });
    const placeOrder = createPlaceOrder({ store, relay, instance, log: silentLog });
    t.after(async () => {
      await placeOrder.close();
      await relay.close();
    });
    return { database, store, relay, ...placeOrder };
  };
  const count = async (table: string) =>
    (await sql<{ n: number }>(`SELECT count(*)::int AS n FROM ${table}`))[0]?.n;
  return { connect, sql, schema, fake, instanceOf, count };
}
