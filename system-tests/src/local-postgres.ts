import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { signalTo } from './process-table.ts';
import { startProgram } from './program.ts';
import { until } from './until.ts';

export type LocalPostgres = {
  /** Of the two databases, each as the role that owns it. */
  readonly orders: string;
  readonly fulfillment: string;
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
  type Info = { pid: number | null; urls: { orders: string; fulfillment: string } };
  const { pid, urls } = JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8')) as Info;
  // The server outlives a Node process that is killed, as `startProgram` does to it where a test is ended half-way.
  const endServer = () => signalTo(pid ?? 0, 'SIGINT');
  if (pid !== null) process.once('exit', endServer);
  return {
    ...urls,
    async close() {
      program.signalGroup('SIGTERM');
      await program.untilExit(40);
      process.off('exit', endServer);
    },
  };
}
