import { join } from 'node:path';
import { asyncApi } from '@orders/contracts/asyncapi';
import { fulfillmentEventsTopic } from '@orders/contracts/fulfillments/events';
import { addApiDocs } from '@orders/platform/http/api-docs';
import { addOperationsRoutes } from '@orders/platform/http/health-routes';
import { listen } from '@orders/platform/http/server';
import { createOutboxRelay, type RelayEvents } from '@orders/platform/messaging/outbox-relay';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import { openService, type ServiceParts } from '@orders/platform/operate/open-service';
import { type Sentinel, startSentinel } from '@orders/platform/operate/sentinel';
import { createSentinelStore } from '@orders/platform/operate/sentinel-store';
import { observeStuck } from '@orders/platform/operate/stuck-routes';
import { startPurge } from '@orders/platform/postgres/purge';
import { drainSeconds } from '@orders/platform/process/variables';
import { createOrderChangesStore } from './change-log.ts';
import type { OrderConfig } from './config.ts';
import { createOrderMetrics } from './metrics.ts';
import { addOperatorRoutes } from './operate/routes.ts';
import {
  createOrderWatch,
  orderDeadlines,
  stuckReasons,
  watchedOrders,
} from './operate/watch-orders.ts';
import { orderApi } from './order-api.ts';
import { changesKeptSeconds, createOrderChanges } from './show/changes.ts';
import { createEventStreams } from './show/event-streams.ts';
import { addFollowRoutes } from './show/follow-routes.ts';
import { createFulfillmentEventHandler } from './show/on-fulfillment-event.ts';
import { createOrderQueries } from './show/order-queries.ts';
import { createProjectionStore } from './show/projection-store.ts';
import { addShowRoutes } from './show/routes.ts';
import { createCancelOrder } from './take/cancel-order.ts';
import { createCancellationStore } from './take/cancellation-store.ts';
import { createPlaceOrder } from './take/place-order.ts';
import { createPlacingStore } from './take/placing-store.ts';
import { createPublishFailedStore, type PublishFailedStore } from './take/publish-failed-store.ts';
import { addCancelRoute, addPlaceRoute } from './take/routes.ts';

export const schema = 'orders';
export const migrations = join(import.meta.dirname, '../migrations');
/** Events of one projecting statement. */
const projectEventsMax = 500;
/** Placing runs two statements at a time: orders with an idempotency key, and those without. */
const placeConnections = 2;

export type OrderService = {
  /** Begins to publish what waits and opens the port; resolves to the service's URL. */
  listen(): Promise<string>;
  /** Tells callers to go elsewhere and still answers them, for DRAIN_SECONDS. */
  drain(): Promise<void>;
  /**
   * Drains, takes no further order, commits and publishes what is in flight; still shows what it
   * hears of its orders.
   */
  stopTaking(): Promise<void>;
  /**
   * `stopTaking`, then leaves the group and the database. Nothing is lost: what could not be
   * published is handed back.
   */
  close(): Promise<void>;
};

/**
 * Builds the Order Service: migrates its schema, joins the group of `fulfillment-events`, starts
 * its relay. Several instances may share a database.
 */
export async function createOrderService(parts: ServiceParts<OrderConfig>): Promise<OrderService> {
  const { config, broker, group = 'order-service' } = parts;
  const opened = await open(parts);
  const { app, log, instance, database, reading, clock, outbox, metrics } = opened;
  const placing = createPlacingStore(database.beside({ connections: placeConnections }));
  const orderMetrics = createOrderMetrics(metrics, outbox);
  const relay = createOutboxRelay({
    name: 'order-service',
    store: outbox,
    broker,
    log,
    metrics,
    events: flagOrders(createPublishFailedStore(database)),
  });
  const queries = createOrderQueries(database);
  const changesStore = createOrderChangesStore(database);
  const changes = createOrderChanges({ store: changesStore, queries, log });
  const onChanged = (): void => changes.ring();
  const placeOrder = createPlaceOrder({ store: placing, relay, instance, log });
  const handler = createFulfillmentEventHandler({
    store: createProjectionStore(database),
    metrics: orderMetrics,
    onChanged,
    log,
  });
  const cancelOrder = createCancelOrder({
    store: createCancellationStore(database),
    queries,
    relay,
    instance,
    onChanged,
    log,
  });
  const subscription = await broker.subscribe({
    topic: fulfillmentEventsTopic,
    group,
    eventsMax: projectEventsMax,
    handler,
  });
  const sentinel = createSentinelStore(database, instance, watchedOrders);
  observeStuck(metrics, { store: sentinel, reasons: stuckReasons });
  const stuckAfterMs = config.STUCK_AFTER_SECONDS * 1_000;
  const watch = createOrderWatch(database, orderDeadlines(stuckAfterMs));
  let watching: Sentinel | undefined;
  const purge = startPurge(
    {
      'idempotency keys': (limit) => placing.purgeKeys(config.IDEMPOTENCY_KEY_HOURS, limit),
      changes: (limit) => changesStore.purge(changesKeptSeconds, limit),
    },
    log,
  );
  await opened.whenAvailable(() => outbox.takeBack());

  let stopped: Promise<void> | undefined;
  await addApiDocs(app, { ...orderApi, asyncApi });
  addPlaceRoute(app, { placeOrder, metrics: orderMetrics });
  addCancelRoute(app, cancelOrder);
  const showing = { queries: createOrderQueries(reading), changes };
  addShowRoutes(app, showing);
  addFollowRoutes(app, { ...showing, streams: createEventStreams() });
  addOperatorRoutes(app, { database, handle: handler, sentinel });
  addOperationsRoutes(app, { metrics, isReady: () => database.unreachable() });

  return {
    async listen() {
      relay.start();
      watching = startSentinel({ store: sentinel, watch, stuckAfterMs, log });
      await listen(app, {
        host: config.HOST,
        port: config.ORDER_SERVICE_PORT,
        portVariable: 'ORDER_SERVICE_PORT',
      });
      metrics.observeProcess();
      return app.listeningOrigin;
    },
    drain,
    stopTaking: () => (stopped ??= stopTaking()),
    async close() {
      stopped ??= stopTaking();
      await stopped;
      await subscription.close();
      await clock.close();
      await database.close();
    },
  };

  function drain(): Promise<void> {
    return app.drain(drainSeconds(config));
  }

  async function stopTaking(): Promise<void> {
    await drain();
    // Ends who waits at once; its last look ends while the rest is closed.
    const unfollowed = changes.close();
    await app.close();
    await watching?.close();
    await purge.close();
    await placeOrder.close();
    await relay.close();
    await unfollowed;
  }
}

/** Shows on the orders themselves that their events could not be published, and when they are. */
function flagOrders(store: PublishFailedStore): RelayEvents {
  const idsOf = (rows: OutboxRow[]): string[] =>
    rows.filter((row) => row.payload !== null).map((row) => row.key);
  return {
    onFailed: (rows) => store.markPending(idsOf(rows)),
    onRecovered: (rows) => store.clearPublishFailed(idsOf(rows)),
  };
}

const open = (parts: ServiceParts<OrderConfig>) =>
  openService(
    {
      name: 'order-service',
      schema,
      migrations,
      url: parts.config.ORDERS_DATABASE_URL,
      connections: parts.config.ORDERS_DATABASE_CONNECTIONS,
    },
    parts,
  );
