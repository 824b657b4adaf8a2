import { loadEnvFile, readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { runProcess } from '@orders/platform/process/run-process';
import { standardOutput } from '@orders/platform/process/standard-output';
import { EmbeddedConfig, embeddedRules } from './config.ts';
import { startEverything } from './start-everything.ts';

await runProcess(async (signal) => {
  loadEnvFile();
  const config = readConfig(EmbeddedConfig, process.env, embeddedRules);
  const log = createLog({ level: config.LOG_LEVEL });
  const everything = await startEverything(config, log, signal);
  const url = everything.orderServiceUrl;
  const curl = `curl -X POST ${url}/api/orders -H "Content-Type: application/json" -d '{"customerId":"customer-123","customerName":"John Doe","items":[{"productId":"product-456","quantity":2}]}'`;
  if (process.stdout.isTTY) {
    standardOutput().write(
      `\nReady: ${url}  (API page: ${url}/docs, Ctrl-C stops everything)\n\nTry:\n  ${curl}\n\n`,
    );
  } else {
    log.info({ service: 'npm-start', url, curl }, 'ready');
  }
  return everything;
});
