import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { killAll, livingPostmaster, postgresProcesses } from './postgres-processes.ts';
import { signalTo } from './process-table.ts';
import { type Program, startProgram } from './program.ts';
import { until } from './until.ts';

export type LocalPostgres = {
  /** Of the two databases, each as the role that owns it. */
  readonly orders: string;
  readonly fulfillment: string;
  readonly dataDir: string;
  readonly program: Program;
  /** kill -9 of the server with its backends, and waits for their end; what supervises it starts it again. */
  kill(): Promise<void>;
  /** Waits until a killed server serves again. */
  untilReady(): Promise<void>;
  /** Asks it to end and waits for the end. */
  close(): Promise<void>;
};

/** Starts one embedded PostgreSQL server for both services, with its data below the directory. */
export async function startLocalPostgres(directory: string): Promise<LocalPostgres> {
  const dataDir = join(directory, 'databases');
  const program = startProgram('embedded/src/start-postgres.ts', { directory, env: { DATA_DIR: dataDir } });
  const isReady = () => program.lines.some((line) => line.includes('PostgreSQL is ready'));
  await until('PostgreSQL', 60, () => isReady() || program.exit !== undefined);
  assert.ok(isReady(), `PostgreSQL has not started:\n${program.tail()}`);
  type Info = { urls: { orders: string; fulfillment: string } };
  const { urls } = JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8')) as Info;
  // The server outlives a Node process that is killed, as `startProgram` does to it where a test is ended half-way.
  const endServer = () => {
    const server = livingPostmaster(dataDir);
    if (server !== undefined) signalTo(server.pid, 'SIGINT');
  };
  process.once('exit', endServer);
  return {
    ...urls,
    dataDir,
    program,
    kill: () => killAll(postgresProcesses(dataDir)),
    async untilReady() {
      await until('PostgreSQL to be back', 60, () => livingPostmaster(dataDir) !== undefined);
    },
    async close() {
      program.signalGroup('SIGTERM');
      await program.untilExit(40);
      process.off('exit', endServer);
    },
  };
}
