import { loadEnvFile, readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { runProcess } from '@orders/platform/process/run-process';
import { commonVariables } from '@orders/platform/process/variables';
import Type from 'typebox';
import { startEmbeddedPostgres } from './postgres/server.ts';
import { lockDataDirectory } from './processes/data-directory.ts';
import { dataDirVariable } from './variables.ts';

const PostgresConfig = Type.Object({
  LOG_LEVEL: commonVariables.LOG_LEVEL,
  DATA_DIR: dataDirVariable,
});

// Just the embedded PostgreSQL with the databases of both services, whose URLs stand in
// `<DATA_DIR>/postgres.json`.
await runProcess(async (signal) => {
  loadEnvFile();
  const { DATA_DIR: dataDir, LOG_LEVEL: level } = readConfig(PostgresConfig, process.env);
  const log = createLog({ service: 'postgres', level });
  const lock = await lockDataDirectory(dataDir);
  const server = await startEmbeddedPostgres({
    dataDir,
    databases: ['orders', 'fulfillment'],
    log,
    signal,
  });
  log.info({ pid: server.pid }, 'PostgreSQL is ready; Ctrl-C stops it');
  const close = async (): Promise<void> => {
    await server.close();
    await lock.release();
  };
  return { close };
});
