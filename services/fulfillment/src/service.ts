import { join } from 'node:path';
import { asyncApi } from '@orders/contracts/asyncapi';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import { addApiDocs } from '@orders/platform/http/api-docs';
import { addOperationsRoutes } from '@orders/platform/http/health-routes';
import { listen } from '@orders/platform/http/server';
import { createOutboxRelay } from '@orders/platform/messaging/outbox-relay';
import { openService, type ServiceParts } from '@orders/platform/operate/open-service';
import { type Sentinel, startSentinel } from '@orders/platform/operate/sentinel';
import { createSentinelStore } from '@orders/platform/operate/sentinel-store';
import { observeStuck } from '@orders/platform/operate/stuck-routes';
import type { Database } from '@orders/platform/postgres/database';
import type { Log } from '@orders/platform/process/log';
import { drainSeconds } from '@orders/platform/process/variables';
import type { FulfillmentConfig } from './config.ts';
import type { Policy } from './fulfillment.ts';
import { createFulfillmentMetrics } from './metrics.ts';
import { createFulfillmentQueries } from './operate/fulfillment-queries.ts';
import { createGiveVerdict } from './operate/give-verdict.ts';
import { addOperatorRoutes } from './operate/operator-routes.ts';
import { createRetryFulfillments } from './operate/retry-fulfillments.ts';
import { createRetryStore } from './operate/retry-store.ts';
import { addFulfillmentRoutes, fulfillmentApi } from './operate/routes.ts';
import { createShippingBreakerStore } from './operate/shipping-breaker-store.ts';
import { createVerdictStore } from './operate/verdict-store.ts';
import {
  createFulfillmentWatch,
  fulfillmentDeadlines,
  stuckReasons,
  watchedFulfillments,
} from './operate/watch-fulfillments.ts';
import { createFilingStore } from './receive/filing-store.ts';
import { createOrderEventHandler } from './receive/on-order-event.ts';
import { createBreakerExchange } from './ship/breaker-exchange.ts';
import { createBreakerExchangeStore } from './ship/breaker-exchange-store.ts';
import { createClaimStore } from './ship/claim-store.ts';
import { createDispatch } from './ship/dispatch.ts';
import { createPace } from './ship/pace.ts';
import { createShippingBreaker } from './ship/provider-breaker.ts';
import { createShippingClient } from './ship/provider-client.ts';
import { createReportOutcome } from './ship/report-outcome.ts';
import { createReportStore } from './ship/report-store.ts';

const name = 'fulfillment-service';
export const schema = 'fulfillment';
export const migrations = join(import.meta.dirname, '../migrations');
/**
 * Events of one filing statement; its join of what was filed with its events grows with the square.
 */
const fileEventsMax = 256;

export type FulfillmentService = {
  /**
   * Begins to dispatch and to publish what waits, and opens the port; resolves to the service's
   * URL.
   */
  listen(): Promise<string>;
  /** Tells callers to go elsewhere and still answers them, for DRAIN_SECONDS. */
  drain(): Promise<void>;
  /**
   * Drains, leaves the group, lets calls in flight finish or hands them back, publishes what it
   * can, leaves the database.
   */
  close(): Promise<void>;
};

/**
 * Builds the Fulfillment Service: migrates its schema, joins the group of `order-events`, starts
 * its dispatcher and its relay. Several instances may share a database.
 */
export async function createFulfillmentService(
  parts: ServiceParts<FulfillmentConfig>,
): Promise<FulfillmentService> {
  const { config, broker, group = name } = parts;
  const opened = await open(parts);
  const { app, log, instance, database, reading, clock, outbox, metrics } = opened;
  const claims = createClaimStore(database, instance);
  const fulfillmentMetrics = createFulfillmentMetrics(metrics, { database, outbox });
  const relay = createOutboxRelay({ name, store: outbox, broker, log, metrics });
  const reports = createReportOutcome({
    store: createReportStore(database, instance),
    relay,
    log,
  });
  const client = clientOf(config);
  const breaker = createShippingBreaker({ log, metrics });
  const calling = { claims, breaker, log, policy: policyOf(config) };
  const concurrency = config.SHIPPING_CONCURRENCY;
  const dispatch = createDispatch({
    ...calling,
    client,
    reports,
    metrics: fulfillmentMetrics,
    concurrency,
  });
  const exchange = createBreakerExchange({
    store: createBreakerExchangeStore(database, instance),
    breaker,
    load: dispatch.load,
  });
  const pace = createPace({ ...calling, dispatch, exchange, concurrency });
  const sentinel = createSentinelStore(database, instance, watchedFulfillments);
  observeStuck(metrics, { store: sentinel, reasons: stuckReasons });
  const stuckAfterMs = config.STUCK_AFTER_SECONDS * 1_000;
  const watch = createFulfillmentWatch(database, fulfillmentDeadlines(stuckAfterMs));
  let watching: Sentinel | undefined;
  // Before this life holds anything itself.
  await opened.whenAvailable(() => Promise.all([claims.takeBack(), outbox.takeBack()]));
  const handler = createOrderEventHandler({
    store: createFilingStore(database, instance),
    handover: pace,
    relay,
    metrics: fulfillmentMetrics,
    log,
  });
  const subscription = await broker.subscribe({
    topic: orderEventsTopic,
    group,
    eventsMax: fileEventsMax,
    handler,
  });

  await addApiDocs(app, { ...fulfillmentApi, asyncApi });
  addFulfillmentRoutes(app, operatorParts({ database, reading, log }));
  addOperatorRoutes(app, { database, handle: handler, sentinel });
  addOperationsRoutes(app, { metrics, isReady: () => database.unreachable() });

  const drain = (): Promise<void> => app.drain(drainSeconds(config));
  return {
    async listen() {
      pace.start();
      relay.start();
      watching = startSentinel({ store: sentinel, watch, stuckAfterMs, log });
      const at = {
        host: config.HOST,
        port: config.FULFILLMENT_SERVICE_PORT,
        portVariable: 'FULFILLMENT_SERVICE_PORT',
      };
      await listen(app, at);
      metrics.observeProcess();
      return app.listeningOrigin;
    },
    drain,
    async close() {
      await drain();
      await app.close();
      await watching?.close();
      await subscription.close();
      await clock.close();
      await pace.close();
      await relay.close();
      await Promise.all([client.close(), database.close()]);
    },
  };
}

const clientOf = (config: FulfillmentConfig) =>
  createShippingClient({
    baseUrl: config.SHIPPING_BASE_URL,
    authorization: config.SHIPPING_AUTHORIZATION,
    timeoutMs: config.SHIPPING_TIMEOUT_SECONDS * 1_000,
    connections: config.SHIPPING_CONCURRENCY,
  });

function policyOf(config: FulfillmentConfig): Policy {
  return {
    attemptsMax: config.SHIPPING_ATTEMPTS_MAX ?? null,
    deadlineMs: config.SHIPPING_DEADLINE_SECONDS * 1_000,
    backoffMs: config.SHIPPING_BACKOFF_MS,
    backoffMaxMs: Math.max(config.SHIPPING_BACKOFF_MS, config.SHIPPING_BACKOFF_MAX_MS),
    settleMs: Math.round(config.SHIPPING_SETTLE_SECONDS * 1_000),
    unknownOutcome: config.SHIPPING_UNKNOWN_OUTCOME,
  };
}

const open = (parts: ServiceParts<FulfillmentConfig>) =>
  openService(
    {
      name,
      schema,
      migrations,
      url: parts.config.FULFILLMENT_DATABASE_URL,
      connections: parts.config.FULFILLMENT_DATABASE_CONNECTIONS,
    },
    parts,
  );

/** What the operators' routes of fulfillments need. */
function operatorParts(parts: { database: Database; reading: Database; log: Log }) {
  const { database, reading, log } = parts;
  const fulfillments = createRetryStore(database);
  return {
    queries: createFulfillmentQueries(reading),
    retries: createRetryFulfillments({ store: fulfillments, log }),
    giveVerdict: createGiveVerdict({
      fulfillments,
      verdicts: createVerdictStore(database),
      log,
    }),
    breaker: createShippingBreakerStore(database),
  };
}
