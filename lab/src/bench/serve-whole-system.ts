// Measured: what `npm start` runs, on ports of its own; the mock provider answers at once.
import { EmbeddedConfig } from '@orders/embedded/config';
import { startEverything } from '@orders/embedded/start-everything';
import { readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { serve } from './serve.ts';

await serve(async (dataDir) => {
  const config = readConfig(EmbeddedConfig, {
    DATA_DIR: dataDir,
    ORDER_SERVICE_PORT: '0',
    FULFILLMENT_SERVICE_PORT: '0',
    SHIPPING_PROVIDER_PORT: '0',
  });
  const log = createLog({ service: 'bench' });
  const everything = await startEverything(config, log, new AbortController().signal);
  return { url: everything.orderServiceUrl, close: () => everything.close() };
});
