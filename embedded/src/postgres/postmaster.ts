import { spawn } from 'node:child_process';
import { open, readFile, rename, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf } from '@orders/platform/process/errors';
import { settlesWithin } from '../processes/bounded-wait.ts';
import { type Cluster, connectAsSuperuser } from './cluster.ts';
import { shutDownServer } from './shut-down.ts';
import { type Launcher, launchEnvironment } from './unprivileged.ts';

/** pino's shape, as far as it is used here. */
export type ServerLog = {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
};

/** One life of a PostgreSQL server process. */
export type Postmaster = {
  pid: number;
  /** Resolves, with words for the log, when the process is gone. Never rejects. */
  exited: Promise<string>;
  /** Ends it, gently at first; within 40 s, at once when it is dead already. Never rejects. */
  stop(): Promise<void>;
};

export type PostmasterOptions = {
  postgres: string;
  launcher: Launcher;
  cluster: Cluster;
  port: number;
  settings: Record<string, string>;
  logFile: string;
  log: ServerLog;
};

/**
 * Crash recovery took 14 s after 640 MB of WAL, and up to 4 GB may have to be read on a slow disk.
 * A recovery that is cut short begins again from its start, so too small a bound would lock the
 * data away for good.
 */
const readyWithinMs = 600_000;
const progressEveryMs = 5_000;
const logFileBytesMax = 16 * 1024 * 1024;

/**
 * Starts the server and waits until it accepts connections, through crash recovery if need be.
 * @throws Error with the server's last log lines when it ends or is not ready in time; AbortError.
 * No process is left running then.
 */
export async function startPostmaster(
  o: PostmasterOptions,
  signal: AbortSignal,
): Promise<Postmaster> {
  const { file, offset } = await openLog(o.logFile);
  let launched: Pick<Postmaster, 'pid' | 'exited'>;
  try {
    launched = launch(o, file.fd);
  } finally {
    await file.close();
  }
  const { pid, exited } = launched;
  const stop = async () => {
    if (pid !== 0) await shutDownServer(pid, (withinMs) => settlesWithin(withinMs, exited));
  };
  try {
    await untilReady(o, exited, signal);
    return { pid, exited, stop };
  } catch (error) {
    await stop();
    signal.throwIfAborted();
    const lines = await lastLines(o.logFile, offset);
    throw new Error(
      `embedded PostgreSQL did not start: ${(error as Error).message}; its log says:\n${lines}`,
      {
        cause: error,
      },
    );
  }
}

function launch(o: PostmasterOptions, logFd: number): Pick<Postmaster, 'pid' | 'exited'> {
  const settings = Object.entries({ ...o.settings, port: String(o.port) });
  const args = [
    '-D',
    o.cluster.directory,
    ...settings.flatMap(([name, value]) => ['-c', `${name}=${value}`]),
  ];
  const { program, args: full, options } = o.launcher.command(o.postgres, args);
  // A session of its own, or Ctrl-C in the terminal would end the server before the services have
  // drained; a file and no pipe, or the server would block or die when Node does.
  const child = spawn(program, full, {
    ...options,
    cwd: '/',
    env: launchEnvironment,
    detached: true,
    stdio: ['ignore', logFd, logFd],
  });
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, by) => resolve(by === null ? `exit code ${code}` : `signal ${by}`));
    child.once('error', (error) => resolve(error.message));
  });
  return { pid: child.pid ?? 0, exited };
}

async function untilReady(
  o: PostmasterOptions,
  exited: Promise<string>,
  signal: AbortSignal,
): Promise<void> {
  const begun = performance.now();
  let report = progressEveryMs;
  let end: string | undefined;
  void exited.then((how) => {
    end = how;
  });
  for (;;) {
    const refusal = await refusalOf(o.cluster, o.port);
    if (refusal === undefined) return;
    if (end !== undefined) throw new Error(end);
    const waitedMs = Math.round(performance.now() - begun);
    if (waitedMs > readyWithinMs) throw new Error(`not ready after ${waitedMs} ms: ${refusal}`);
    if (waitedMs > report) {
      report += progressEveryMs;
      o.log.info(
        { waitedMs, refusal },
        'waiting for embedded PostgreSQL; after a crash it recovers first',
      );
    }
    await sleep(waitedMs < 1_000 ? 20 : 200, undefined, { signal });
  }
}

/**
 * Undefined when a connection works. @throws what waiting cannot change: a wrong password, for
 * example
 */
async function refusalOf(cluster: Cluster, port: number): Promise<string | undefined> {
  try {
    const client = await connectAsSuperuser(cluster, port, 5_000);
    await client.end();
    return undefined;
  } catch (error) {
    if (codeOf(error)?.startsWith('28')) throw error;
    return (error as Error).message;
  }
}

async function openLog(path: string) {
  const size = await sizeOf(path);
  if (size > logFileBytesMax) await rename(path, `${path}.1`);
  return { file: await open(path, 'a', 0o600), offset: size > logFileBytesMax ? 0 : size };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 0;
    throw error;
  }
}

async function lastLines(path: string, offset: number): Promise<string> {
  const lines = (await readFile(path)).subarray(offset).toString().trimEnd().split('\n');
  // Our own attempts to connect leave one of these each.
  return lines
    .filter((line) => !line.endsWith('FATAL:  the database system is starting up'))
    .slice(-10)
    .join('\n');
}
