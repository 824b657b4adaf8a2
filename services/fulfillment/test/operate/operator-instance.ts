import type { TestContext } from 'node:test';
import type { RetryRequest } from '@orders/contracts/fulfillments/api';
import { createHttpServer } from '@orders/platform/http/server';
import {
  addOperatorJournalRoutes,
  createOperatorJournal,
} from '@orders/platform/operate/operator-journal';
import { silentLog, type TestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createFulfillmentQueries } from '../../src/operate/fulfillment-queries.ts';
import { createGiveVerdict } from '../../src/operate/give-verdict.ts';
import { createRetryFulfillments } from '../../src/operate/retry-fulfillments.ts';
import { createRetryStore } from '../../src/operate/retry-store.ts';
import { addFulfillmentRoutes } from '../../src/operate/routes.ts';
import { createShippingBreakerStore } from '../../src/operate/shipping-breaker-store.ts';
import { createVerdictStore } from '../../src/operate/verdict-store.ts';
import { migrations } from '../fulfillment-instance.ts';

export type FulfillmentRow = Record<string, unknown>;

const payload = {
  reference: 'r',
  recipient: { customerId: 'c', name: 'A Name' },
  items: [{ productId: 'p', quantity: 2 }],
};
const failure = {
  at: '2026-01-20T21:09:00.000Z',
  outcome: 'refused',
  error: '422 no parcels',
  durationMs: 12,
};

/** What is not named of a row: a fulfillment that the provider has refused. */
const failed: FulfillmentRow = {
  source_topic: 'order-events',
  source_partition: 5,
  source_offset: 7,
  payload: JSON.stringify(payload),
  correlation_id: 'c-1',
  created_at: '2026-01-20T21:00:00.000Z',
  state: 'Failed',
  sequence: 2,
  claim: 1,
  attempts: 1,
  attempt_open: false,
  error: failure.error,
  failed_attempts: JSON.stringify([failure]),
};

let count = 0;
/** Each greater than the one before; those that are made within a millisecond would not be. */
const nextId = (): string =>
  `01990000-${(++count).toString(16).padStart(4, '0')}-7000-8000-000000000000`;

/**
 * The operators' API over tables of their own, without a dispatcher: what is written stays as it
 * was written.
 */
export const operatorApi = async (t: TestContext, postgres: TestPostgres) =>
  operatorOf(t, await postgres.schema(t, migrations));

/** The operators' API over tables that others may work on. */
export function operatorOf(
  t: TestContext,
  tables: Pick<Awaited<ReturnType<TestPostgres['schema']>>, 'connect' | 'sql'>,
) {
  const { connect, sql } = tables;
  const database = connect('api');
  const retryStore = createRetryStore(database);
  const app = createHttpServer({ log: silentLog });
  t.after(() => app.close());
  addFulfillmentRoutes(app, {
    queries: createFulfillmentQueries(database),
    retries: createRetryFulfillments({ store: retryStore, log: silentLog }),
    giveVerdict: createGiveVerdict({
      fulfillments: retryStore,
      verdicts: createVerdictStore(database),
      log: silentLog,
    }),
    breaker: createShippingBreakerStore(database),
  });
  addOperatorJournalRoutes(app, createOperatorJournal(database));
  const ask = async (
    method: 'GET' | 'POST' | 'PUT',
    url: string,
    body?: object,
    headers: object = { 'x-operator': 'ann' },
  ) => {
    const answer = await app.inject({
      method,
      url,
      headers: { ...headers },
      ...(body && { payload: body }),
    });
    return { status: answer.statusCode, body: answer.json() };
  };
  /**
   * Inserts a fulfillment, `over` what a refused one is; `due_at` and others may be SQL in `raw`.
   * Resolves to its id.
   */
  const file = async (
    over: FulfillmentRow = {},
    raw: Record<string, string> = {},
  ): Promise<string> => {
    const row: FulfillmentRow = { order_id: nextId(), ...failed, ...over };
    const values = Object.values(row);
    const places = [...values.map((_, i) => `$${i + 1}`), ...Object.values(raw)];
    await sql(
      `INSERT INTO fulfillments (${[...Object.keys(row), ...Object.keys(raw)]}) VALUES (${places})`,
      values,
    );
    return String(row.order_id);
  };
  const rowOf = async (orderId: string) =>
    (
      await sql('SELECT *, due_at - now() AS due_in FROM fulfillments WHERE order_id = $1', [
        orderId,
      ])
    )[0] ?? {};
  const retry = (request: Partial<RetryRequest>) =>
    ask('POST', '/api/fulfillments/retry', { reason: 'the provider works again', ...request });
  return { connect, sql, ask, file, rowOf, retry, retryStore };
}
