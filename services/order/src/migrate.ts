import { migrateAndGrant } from '@orders/platform/postgres/migrate-command';
import { loadEnvFile, readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { runProcess } from '@orders/platform/process/run-process';
import { OrderMigrationConfig, orderMigrationRules } from './config.ts';
import { migrations, schema } from './service.ts';

await runProcess(async (signal) => {
  loadEnvFile();
  const config = readConfig(OrderMigrationConfig, process.env, orderMigrationRules);
  await migrateAndGrant({
    schema,
    directory: migrations,
    ownerUrl: config.ORDERS_MIGRATION_DATABASE_URL,
    serviceUrl: config.ORDERS_DATABASE_URL,
    log: createLog({ service: 'order-service', level: config.LOG_LEVEL }),
    signal,
  });
  process.exit(0);
});
