import { join } from 'node:path';
import { loadEnvFile, readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { createMetrics } from '@orders/platform/process/metrics';
import { runProcess } from '@orders/platform/process/run-process';
import { ShippingProviderProcessConfig, shippingProviderRules } from './config.ts';
import { createShippingProvider } from './service.ts';

await runProcess(async () => {
  loadEnvFile();
  const config = readConfig(ShippingProviderProcessConfig, process.env, shippingProviderRules);
  const log = createLog({ service: 'shipping-provider', level: config.LOG_LEVEL });
  const metrics = createMetrics('shipping-provider');
  metrics.observeProcess();
  const { DATA_DIR } = config;
  const ledgerFile =
    DATA_DIR === undefined
      ? {}
      : { ledgerFile: join(DATA_DIR, 'shipping-provider', 'ledger.sqlite') };
  const provider = await createShippingProvider({ config, log, metrics, ...ledgerFile });
  try {
    await provider.listen();
  } catch (error) {
    await provider.close();
    throw error;
  }
  return provider;
});
