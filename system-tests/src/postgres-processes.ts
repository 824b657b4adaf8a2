import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LivingProcess, livingProcesses, signalTo, treeOf } from './process-table.ts';
import { until } from './until.ts';

export const isPostgres = (name: string): boolean => /(^|\/)postgres$/.test(name);

/** The embedded PostgreSQL server that works below the data directory now. */
export function livingPostmaster(dataDir: string): LivingProcess | undefined {
  try {
    const { pid } = JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8')) as { pid: number | null };
    return livingProcesses().find((one) => one.pid === pid && isPostgres(one.name));
  } catch {
    return undefined; // not started yet, or just being written
  }
}

/** The server first, then its backends; none where it does not live. */
export function postgresProcesses(dataDir: string): LivingProcess[] {
  const server = livingPostmaster(dataDir);
  return server === undefined ? [] : treeOf(server.pid);
}

/** kill -9, and waits until they are gone. */
export async function killAll(victims: LivingProcess[]): Promise<void> {
  for (const { pid } of victims) signalTo(pid, 'SIGKILL');
  const pids = new Set(victims.map(({ pid }) => pid));
  await until('killed processes to be gone', 10, () => !livingProcesses().some(({ pid }) => pids.has(pid)), 5);
}
