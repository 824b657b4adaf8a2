import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type LivingProcess,
  livingProcesses,
  sendSignal,
} from '@orders/embedded/processes/process-table';
import { treeOf } from './process-table.ts';
import { until } from './until.ts';

export const isPostgres = (name: string): boolean => /(^|\/)postgres$/.test(name);

type ServerInfo = { pid: number | null; urls: { orders: string; fulfillment: string } };

const readInfo = (dataDir: string): ServerInfo =>
  JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8'));

/**
 * How the services reach the embedded PostgreSQL server below the data directory. @throws when it
 * was never started
 */
export function databaseUrls(
  dataDir: string,
): Record<'ORDERS_DATABASE_URL' | 'FULFILLMENT_DATABASE_URL', string> {
  const { urls } = readInfo(dataDir);
  return { ORDERS_DATABASE_URL: urls.orders, FULFILLMENT_DATABASE_URL: urls.fulfillment };
}

/** The embedded PostgreSQL server that works below the data directory now. */
export function livingPostmaster(dataDir: string): LivingProcess | undefined {
  try {
    const { pid } = readInfo(dataDir);
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
  for (const { pid } of victims) sendSignal(pid, 'SIGKILL');
  const pids = new Set(victims.map(({ pid }) => pid));
  await until(
    'killed processes to be gone',
    10,
    () => !livingProcesses().some(({ pid }) => pids.has(pid)),
    5,
  );
}
