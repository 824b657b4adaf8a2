import type { Log } from '@orders/platform/process/log';
import type { EmbeddedConfig } from '../config.ts';
import { startEmbeddedPostgres } from './server.ts';

type Configured = Pick<
  EmbeddedConfig,
  'ORDERS_DATABASE_URL' | 'FULFILLMENT_DATABASE_URL' | 'DATA_DIR'
>;

/**
 * The databases that are configured; where one is not, an embedded server has it, which `close`
 * ends.
 */
export async function supplyDatabases(config: Configured, log: Log, signal: AbortSignal) {
  const {
    ORDERS_DATABASE_URL: orders,
    FULFILLMENT_DATABASE_URL: fulfillment,
    DATA_DIR: dataDir,
  } = config;
  if (orders !== undefined && fulfillment !== undefined) {
    return {
      urls: { ORDERS_DATABASE_URL: orders, FULFILLMENT_DATABASE_URL: fulfillment },
      close: async () => undefined,
    };
  }
  const server = await startEmbeddedPostgres({
    dataDir,
    databases: ['orders', 'fulfillment'],
    log,
    signal,
  });
  return {
    urls: {
      ORDERS_DATABASE_URL: orders ?? server.url('orders'),
      FULFILLMENT_DATABASE_URL: fulfillment ?? server.url('fulfillment'),
    },
    close: () => server.close(),
  };
}
