import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { codeOf } from '@orders/platform/process/errors';
import { holdsWithin } from '../processes/bounded-wait.ts';
import { isTakenByAnother, postgresProcessesIn, sendSignal } from '../processes/process-table.ts';
import type { ServerLog } from './postmaster.ts';
import { shutDownServer } from './shut-down.ts';

const killedWithinMs = 5_000;

/**
 * Ends what still works on the directory: a server left running by a killed Node process (fast
 * shutdown, then immediate, then SIGKILL), or backends that outlived their server and hold the
 * shared memory a new one needs. The caller holds the lock of the data directory, so no server
 * found here belongs to anybody.
 * @throws Error naming the pids if they survive SIGKILL; AbortError
 */
export async function endLeftoverServer(
  directory: string,
  log: ServerLog,
  signal: AbortSignal,
): Promise<void> {
  const recorded = await recordedPid(directory);
  const found = postgresProcessesIn(directory);
  if (found.length > 0)
    await end(
      directory,
      found.find((pid) => pid === recorded),
      log,
      signal,
    );
  await forgetReusedPid(directory, recorded);
}

async function end(
  directory: string,
  server: number | undefined,
  log: ServerLog,
  signal: AbortSignal,
): Promise<void> {
  const gone = (withinMs: number) =>
    holdsWithin(withinMs, () => postgresProcessesIn(directory).length === 0, {
      signal,
    });
  if (server !== undefined) {
    log.warn(
      { pid: server, directory },
      'stopping the PostgreSQL server that an earlier process left running',
    );
    if (await shutDownServer(server, gone)) return;
  }
  for (const pid of postgresProcessesIn(directory)) sendSignal(pid, 'SIGKILL');
  if (await gone(killedWithinMs)) return;
  throw new Error(
    `PostgreSQL processes ${postgresProcessesIn(directory)} of ${directory} cannot be ended`,
  );
}

async function recordedPid(directory: string): Promise<number | undefined> {
  try {
    return Number.parseInt(await readFile(join(directory, 'postmaster.pid'), 'utf8'), 10);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * PostgreSQL removes the pid file of a dead server itself, but refuses to start when the pid has
 * gone to another process of the same user (after a container's restart: often) or is a zombie
 * nobody reaps. Only what is certain counts: a file removed under a living server would let a
 * second one write to its files.
 */
async function forgetReusedPid(directory: string, recorded: number | undefined): Promise<void> {
  if (recorded === undefined || !isTakenByAnother(recorded)) return;
  await rm(join(directory, 'postmaster.pid'), { force: true });
}
