import { randomUUIDv7 } from 'node:crypto';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { IncomingEvent } from '@orders/platform/messaging/broker';
import { createOutboxRelay } from '@orders/platform/messaging/outbox-relay';
import { createOutboxStore } from '@orders/platform/messaging/outbox-store';
import type { Database } from '@orders/platform/postgres/database';
import { createMetrics } from '@orders/platform/process/metrics';
import { createFakeBroker } from '@orders/platform/test/kit/fake-broker';
import { silentLog, type TestPostgres } from '@orders/platform/test/kit/test-postgres';
import type { Policy } from '../src/fulfillment.ts';
import { createFulfillmentMetrics } from '../src/metrics.ts';
import { createFilingStore } from '../src/receive/filing-store.ts';
import { createOrderEventHandler } from '../src/receive/on-order-event.ts';
import { createBreakerExchange } from '../src/ship/breaker-exchange.ts';
import { createBreakerExchangeStore } from '../src/ship/breaker-exchange-store.ts';
import { createClaimStore } from '../src/ship/claim-store.ts';
import { createDispatch } from '../src/ship/dispatch.ts';
import { createPace } from '../src/ship/pace.ts';
import { createShippingBreaker } from '../src/ship/provider-breaker.ts';
import { createShippingClient } from '../src/ship/provider-client.ts';
import { createReportOutcome } from '../src/ship/report-outcome.ts';
import { createReportStore } from '../src/ship/report-store.ts';

export const migrations = join(import.meta.dirname, '../migrations');

/** The statements of all stations of one instance. */
export const fulfillmentStores = (database: Database, instance: string) => ({
  ...createFilingStore(database, instance),
  ...createClaimStore(database, instance),
  ...createReportStore(database, instance),
});

/** Quick, so that a test sees a whole life. */
export const quick = {
  attemptsMax: 4,
  deadlineMs: 86_400_000,
  backoffMs: 20,
  backoffMaxMs: 50,
  settleMs: 200,
  unknownOutcome: 'lookup',
} satisfies Policy;

type InstanceOptions = {
  providerUrl: string;
  policy?: Partial<Policy>;
  concurrency?: number;
  timeoutMs?: number;
  through?: (database: Database) => Database;
};

/**
 * Tables of the Fulfillment Service on a schema of their own, and as many instances as a test
 * wants.
 */
export async function fulfillmentTables(t: TestContext, postgres: TestPostgres) {
  const { connect, sql } = await postgres.schema(t, migrations);
  const fake = createFakeBroker();
  const instanceOf = (instance: string, options: InstanceOptions) => {
    const {
      providerUrl,
      concurrency = 8,
      timeoutMs = 500,
      through = (database: Database) => database,
    } = options;
    const database = through(connect(instance));
    const store = fulfillmentStores(database, instance);
    const outbox = createOutboxStore(connect(`${instance}-relay`, { relaxed: true }), instance);
    const metrics = createMetrics(instance);
    const relay = createOutboxRelay({
      name: instance,
      store: outbox,
      broker: fake.broker,
      log: silentLog,
      metrics,
    });
    const reports = createReportOutcome({ store, relay, log: silentLog });
    const client = createShippingClient({
      baseUrl: providerUrl,
      timeoutMs,
      connections: concurrency,
    });
    const ours = createFulfillmentMetrics(metrics, { database, outbox });
    const breaker = createShippingBreaker({ log: silentLog, metrics });
    const policy: Policy = { ...quick, ...options.policy };
    const calling = { claims: store, breaker, log: silentLog, policy, concurrency };
    const dispatch = createDispatch({ ...calling, client, reports, metrics: ours });
    const exchange = createBreakerExchange({
      store: createBreakerExchangeStore(database, instance),
      breaker,
      load: dispatch.load,
    });
    const pace = createPace({ ...calling, dispatch, exchange });
    const handle = createOrderEventHandler({
      store,
      handover: pace,
      relay,
      metrics: ours,
      log: silentLog,
    });
    let closing: Promise<void> | undefined;
    const close = async () => {
      await pace.close();
      await relay.close();
      await client.close();
    };
    const stop = () => (closing ??= close());
    t.after(stop);
    const start = () => {
      pace.start();
      relay.start();
    };
    return { store, relay, reports, pace, breaker, metrics, handle, start, stop };
  };
  const row = async (orderId: string) =>
    (await sql('SELECT * FROM fulfillments WHERE order_id = $1', [orderId]))[0];
  const stateOf = async (orderId: string) => (await row(orderId))?.state;
  /** The events of an order as published, each once, by sequence. */
  const told = (orderId: string) => {
    const events = fake.taken
      .filter(({ event }) => event.key === orderId)
      .map(
        ({ event }) =>
          JSON.parse(String(event.value)) as {
            sequence: number;
            eventType: string;
            eventId: string;
          },
      );
    return [...new Map(events.map((event) => [event.sequence, event])).values()].sort(
      (a, b) => a.sequence - b.sequence,
    );
  };
  return { connect, sql, fake, instanceOf, row, stateOf, told };
}

let offset = 1_000n;

/** An incoming event of `order-events`; a text is taken as it is. */
export function orderEvent(body: unknown): IncomingEvent {
  offset += 1n;
  const value = Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
  return {
    topic: 'order-events',
    partition: 5,
    offset,
    key: 'k',
    value,
    headers: {},
    publishedAt: new Date(),
  };
}

export const orderCreated = (orderId: string = randomUUIDv7(), more: object = {}) => ({
  eventType: 'OrderCreated' as const,
  orderId,
  customer: { customerId: 'c', name: 'A Name' },
  items: [{ productId: 'p', quantity: 2 }],
  createdAt: '2026-01-20T21:09:00.000Z',
  metadata: { correlationId: 'c-1' },
  ...more,
});

export const cancelRequested = (orderId: string, more: object = {}) => ({
  eventType: 'OrderCancellationRequested',
  orderId,
  sequence: 2,
  reason: 'changed my mind',
  ...more,
});

export const newIds = (count: number): string[] =>
  Array.from({ length: count }, () => randomUUIDv7());
