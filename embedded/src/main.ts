import { loadEnvFile, readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { warnOfMisspelt } from '@orders/platform/process/misspelt';
import { runProcess } from '@orders/platform/process/run-process';
import { standardOutput } from '@orders/platform/process/standard-output';
import { EmbeddedConfig, embeddedRules } from './config.ts';
import { startEverything } from './start-everything.ts';

await runProcess(async (signal) => {
  loadEnvFile();
  const config = readConfig(EmbeddedConfig, process.env, embeddedRules);
  const log = createLog({ level: config.LOG_LEVEL });
  warnOfMisspelt(EmbeddedConfig, process.env, log.child({ service: 'npm-start' }));
  const everything = await startEverything(config, log, signal);
  const { orderServiceUrl: url, fulfillmentServiceUrl, shippingProviderUrl } = everything;
  const docs = `${url}/docs`;
  const curl = `curl -X POST ${url}/api/orders -H "Content-Type: application/json" -d '{"customerId":"customer-123","customerName":"John Doe","items":[{"productId":"product-456","quantity":2}]}'`;
  if (process.stdout.isTTY) {
    standardOutput().write(`
Ready: ${url}
  API page              ${docs}
  for operators         ${fulfillmentServiceUrl}/docs
  shipping provider     ${shippingProviderUrl}
  Ctrl-C stops everything.

Try:
  ${curl}

`);
  } else {
    const addresses = { url, docs, fulfillmentServiceUrl, shippingProviderUrl };
    log.info({ service: 'npm-start', ...addresses, curl }, 'ready');
  }
  return everything;
});
