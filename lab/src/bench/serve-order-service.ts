// Measured: the Order Service alone, with its HTTP rules, its relay and a real PostgreSQL, but
// nobody behind it.
import { startEmbeddedPostgres } from '@orders/embedded/postgres/server';
import { OrderConfig } from '@orders/order-service/config';
import { createOrderService } from '@orders/order-service/service';
import type { Broker } from '@orders/platform/messaging/broker';
import { readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { serve } from './serve.ts';

/**
 * Acknowledges every event at once and keeps none: the outbox is written, relayed and marked at its
 * full price.
 */
const discardingBroker: Broker = {
  publish: async () => undefined,
  subscribe: async () => ({ close: async () => undefined }),
  close: async () => undefined,
};

await serve(async (dataDir) => {
  const log = createLog({ service: 'bench' });
  const postgres = await startEmbeddedPostgres({ dataDir, databases: ['orders'], log });
  const config = readConfig(OrderConfig, {
    ORDERS_DATABASE_URL: postgres.url('orders'),
    ORDER_SERVICE_PORT: '0',
  });
  const service = await createOrderService({ config, broker: discardingBroker, log });
  const url = await service.listen();
  return {
    url,
    async close() {
      await service.close();
      await postgres.close();
    },
  };
});
