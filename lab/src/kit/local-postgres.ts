import assert from 'node:assert/strict';
import { join } from 'node:path';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { databaseUrls, livingPostmaster } from './postgres-processes.ts';
import { type Program, startProgram } from './program.ts';
import { until } from './until.ts';

export type LocalPostgres = {
  /** Of the two databases, each as the role that owns it. */
  readonly orders: string;
  readonly fulfillment: string;
  readonly dataDir: string;
  readonly program: Program;
  /** Asks it to end and waits for the end. */
  close(): Promise<void>;
};

/** Starts one embedded PostgreSQL server for both services, with its data below the directory. */
export async function startLocalPostgres(directory: string): Promise<LocalPostgres> {
  const dataDir = join(directory, 'databases');
  const program = startProgram('embedded/src/start-postgres.ts', {
    directory,
    env: { DATA_DIR: dataDir },
  });
  const isReady = () => program.lines.some((line) => line.includes('PostgreSQL is ready'));
  await until('PostgreSQL', 60, () => isReady() || program.exit !== undefined);
  assert.ok(isReady(), `PostgreSQL has not started:\n${program.tail()}`);
  const { ORDERS_DATABASE_URL: orders, FULFILLMENT_DATABASE_URL: fulfillment } =
    databaseUrls(dataDir);
  // The server outlives a Node process that is killed, as `startProgram` does to it where a test is
  // ended half-way.
  const endServer = () => {
    const server = livingPostmaster(dataDir);
    if (server !== undefined) sendSignal(server.pid, 'SIGINT');
  };
  process.once('exit', endServer);
  return {
    orders,
    fulfillment,
    dataDir,
    program,
    async close() {
      program.signalGroup('SIGTERM');
      await program.untilExit(40);
      process.off('exit', endServer);
    },
  };
}
