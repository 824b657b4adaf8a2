import { migrateAndGrant } from '@orders/platform/postgres/migrate-command';
import { loadEnvFile, readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { runProcess } from '@orders/platform/process/run-process';
import { FulfillmentMigrationConfig, fulfillmentMigrationRules } from './config.ts';
import { migrations, schema } from './service.ts';

await runProcess(async (signal) => {
  loadEnvFile();
  const config = readConfig(FulfillmentMigrationConfig, process.env, fulfillmentMigrationRules);
  await migrateAndGrant({
    schema,
    directory: migrations,
    ownerUrl: config.FULFILLMENT_MIGRATION_DATABASE_URL,
    serviceUrl: config.FULFILLMENT_DATABASE_URL,
    log: createLog({ service: 'fulfillment-service', level: config.LOG_LEVEL }),
    signal,
  });
  process.exit(0);
});
