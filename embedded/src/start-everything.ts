import { join } from 'node:path';
import { fulfillmentEventsTopic } from '@orders/contracts/fulfillments/events';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import { createFulfillmentService } from '@orders/fulfillment-service/service';
import { createOrderService } from '@orders/order-service/service';
import { createInProcessBroker } from '@orders/platform/messaging/broker-in-process';
import type { Log } from '@orders/platform/process/log';
import { drainSeconds } from '@orders/platform/process/variables';
import { createShippingProvider } from '@orders/shipping-provider/service';
import type { EmbeddedConfig } from './config.ts';
import { supplyDatabases } from './postgres/supply-databases.ts';
import { lockDataDirectory } from './processes/data-directory.ts';

export type Everything = {
  orderServiceUrl: string;
  fulfillmentServiceUrl: string;
  shippingProviderUrl: string;
  drainMs: number;
  /** Ends all parts, last started first. */
  close(): Promise<void>;
};

/** Both sides' groups: a publish counts only when each of them has committed the event. */
const groups = {
  [orderEventsTopic]: ['fulfillment-service'],
  [fulfillmentEventsTopic]: ['order-service'],
  [`${orderEventsTopic}.dlq`]: [],
  [`${fulfillmentEventsTopic}.dlq`]: [],
};

/** The lock on the data directory makes sure that only one process at a time has this name. */
const instance = 'npm-start';

/**
 * The composition root of `npm start`: PostgreSQL, the in-process broker, the mock provider and
 * both services in this process. When one part cannot start, those that run are closed and the
 * error is thrown.
 */
export async function startEverything(
  config: EmbeddedConfig,
  log: Log,
  signal: AbortSignal,
): Promise<Everything> {
  const started: { close(): Promise<void> }[] = [];
  const close = async (): Promise<void> => {
    for (const part of started.splice(0).reverse()) await part.close();
  };
  const keep = <T extends { close(): Promise<void> }>(part: T): T => {
    started.push(part);
    return part;
  };
  try {
    const lock = await lockDataDirectory(config.DATA_DIR);
    keep({ close: () => lock.release() });
    const databases = keep(
      await supplyDatabases(config, log.child({ service: 'postgres' }), signal),
    );
    const shippingProviderUrl = config.SHIPPING_BASE_URL ?? (await startMock(config, log, keep));
    const broker = keep(createInProcessBroker({ groups }));

    const orderService = keep(
      await createOrderService({
        config: { ...config, ...databases.urls },
        broker,
        instance,
        log,
        signal,
      }),
    );
    const fulfillmentService = keep(
      await createFulfillmentService({
        config: { ...config, ...databases.urls, SHIPPING_BASE_URL: shippingProviderUrl },
        broker,
        instance,
        log,
        signal,
      }),
    );
    // Closed first: orders in flight are published while the Fulfillment Service still listens, and
    // its events while the order service does.
    keep({ close: () => orderService.stopTaking() });
    keep({
      close: async () =>
        void (await Promise.all([orderService.drain(), fulfillmentService.drain()])),
    });
    const fulfillmentServiceUrl = await fulfillmentService.listen();
    return {
      orderServiceUrl: await orderService.listen(),
      fulfillmentServiceUrl,
      shippingProviderUrl,
      drainMs: drainSeconds(config) * 1_000,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function startMock(
  config: EmbeddedConfig,
  log: Log,
  keep: <T extends { close(): Promise<void> }>(part: T) => T,
) {
  const mock = await createShippingProvider({
    config,
    log: log.child({ service: 'shipping-provider' }),
    ledgerFile: join(config.DATA_DIR, 'shipping-provider', 'ledger.sqlite'),
  });
  keep(mock);
  return await mock.listen();
}
