import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import {
  type FulfillmentEvent,
  fulfillmentEventsTopic,
} from '@orders/contracts/fulfillments/events';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import type { IncomingEvent } from '@orders/platform/messaging/broker';
import { createInProcessBroker } from '@orders/platform/messaging/broker-in-process';
import { silentLog, type TestPostgres } from '@orders/platform/test/kit/test-postgres';
import { createOrderService } from '../src/service.ts';
import { newOrder } from './order-instance.ts';

type Body = Record<string, unknown>;

const groups = {
  [orderEventsTopic]: ['fulfillment-service'],
  [fulfillmentEventsTopic]: ['order-service'],
};

/**
 * An instance of the Order Service behind HTTP, on a broker of its own where the test is the
 * Fulfillment Service: instances share the database, and an event goes to one of them.
 */
export async function runningService(t: TestContext, postgres: TestPostgres) {
  const broker = createInProcessBroker({ groups, publishDeadlineMs: 1_000 });
  const received: IncomingEvent[] = [];
  const listen = () =>
    broker.subscribe({
      topic: orderEventsTopic,
      group: 'fulfillment-service',
      eventsMax: 100,
      handler: async (events) => void received.push(...events),
    });
  const config = {
    HOST: '127.0.0.1',
    PROFILE: 'local',
    TLS_ENDS_IN_FRONT: false,
    KEEP_ALIVE_SECONDS: 75,
    LOG_LEVEL: 'silent',
    ORDER_SERVICE_PORT: 0,
    ORDERS_DATABASE_URL: postgres.url,
    ORDERS_DATABASE_CONNECTIONS: 4,
    IDEMPOTENCY_KEY_HOURS: 24,
    STUCK_AFTER_SECONDS: 60,
  } as const;
  const service = await createOrderService({ config, broker, log: silentLog });
  t.after(async () => {
    await service.close();
    await broker.close();
  });
  const subscription = await listen();
  const url = await service.listen();
  const ask = async <T = Body>(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ) => {
    const isJson = body !== undefined;
    const response = await fetch(`${url}/api/orders${path}`, {
      method,
      headers: { ...headers, ...(isJson && { 'content-type': 'application/json' }) },
      ...(isJson && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const text = await response.text();
    const isDocument = text !== '' && /json/.test(response.headers.get('content-type') ?? '');
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: (isDocument ? JSON.parse(text) : {}) as T,
    };
  };
  return {
    service,
    url,
    ask,
    /** What the Fulfillment Service has heard. */
    heard: () => received.map(({ value }) => JSON.parse(value.toString()) as Body),
    /** While it is deaf nothing can be published. */
    goDeaf: () => subscription.close(),
    listen,
    async publish(...events: FulfillmentEvent[]) {
      const outgoing = events.map((event) => ({
        key: event.orderId,
        value: JSON.stringify(event),
        headers: {},
      }));
      await broker.publish(fulfillmentEventsTopic, outgoing);
    },
    async place(more: Parameters<typeof newOrder>[0] = {}): Promise<string> {
      const { status, body, text } = await ask<{ orderId: string }>('POST', '', newOrder(more));
      assert.equal(status, 201, text);
      return body.orderId;
    },
  };
}

export type RunningService = Awaited<ReturnType<typeof runningService>>;
