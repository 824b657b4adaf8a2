import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { choosePort } from '../processes/server-port.ts';
import {
  assertSameMajor,
  databaseUrl,
  ensureCluster,
  ensureDatabases,
  postgresPrograms,
} from './cluster.ts';
import { endLeftoverServer } from './leftover-server.ts';
import { type PostmasterOptions, type ServerLog, startPostmaster } from './postmaster.ts';
import { supervise } from './supervision.ts';
import { chooseLauncher } from './unprivileged.ts';

export type EmbeddedPostgres = {
  /**
   * postgres:// URL of one of the databases, as the role that owns it. The same for as long as this
   * process lives.
   */
  url(database: string): string;
  /**
   * Ends the server and its supervision; within about 40 s at worst. May be called twice; never
   * rejects.
   */
  close(): Promise<void>;
  /** Of the server process; undefined while there is none. */
  readonly pid: number | undefined;
};

/**
 * Durability is PostgreSQL's default and stays so: fsync, full_page_writes and synchronous_commit
 * are on.
 */
const defaults: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  max_connections: '60',
  shared_buffers: '256MB',
  max_wal_size: '4GB',
  wal_compression: 'off',
  // Queue tables have few rows and many updates: dead rows must go before they slow the scans down.
  autovacuum_naptime: '10s',
  autovacuum_vacuum_scale_factor: '0.05',
  timezone: 'UTC',
  log_timezone: 'UTC',
  // What is wrong with a statement is reported by the service that sent it, and would put
  // customers' data into the file.
  log_min_messages: 'log',
  log_checkpoints: 'off',
};

/**
 * Starts a PostgreSQL server on `<dataDir>/postgres` (made on first use), with one role and one
 * database for each name, and keeps it running: when it dies it comes back on the same port. A
 * server that a killed process left running there is stopped first, so the caller must hold the
 * directory's lock (`lockDataDirectory`). `settings` go before the defaults above; values as in
 * postgresql.conf. A process that ends without `close` leaves the server running, for the next
 * start to stop. `<dataDir>/postgres.json` tells operators pid, port and URLs; the server's own log
 * is `<dataDir>/postgres.log`.
 * @throws Error saying what to do when it cannot run here or does not start; AbortError when
 * `signal` aborts first. No server is left running then, and a second call may succeed.
 */
export async function startEmbeddedPostgres(o: {
  dataDir: string;
  databases: string[];
  log: ServerLog;
  settings?: Record<string, string>;
  /** Aborts the start only; after it `close` ends the server. */
  signal?: AbortSignal;
}): Promise<EmbeddedPostgres> {
  for (const name of o.databases) assertName(name);
  const signal = o.signal ?? new AbortController().signal;
  const options = await prepare(o, signal);
  const { cluster, port, log } = options;
  const first = await startPostmaster(options, signal);
  const url = (database: string) => {
    if (!o.databases.includes(database))
      throw new Error(`there is no embedded database "${database}"`);
    return databaseUrl(cluster, port, database);
  };
  const record = async (pid: number | null) => {
    const urls = Object.fromEntries(o.databases.map((name) => [name, url(name)]));
    await writeInfo(options.infoFile, { pid, port, urls }, log);
  };
  try {
    await ensureDatabases(cluster, port, o.databases);
    await record(first.pid);
  } catch (error) {
    await first.stop();
    throw error;
  }

  const closing = new AbortController();
  const supervision = supervise(first, { ...options, onRestart: record }, closing.signal);
  const end = async () => {
    closing.abort();
    await supervision.ended;
    await record(null);
  };
  let ended: Promise<void> | undefined;
  return {
    url,
    close() {
      ended ??= end();
      return ended;
    },
    get pid() {
      return supervision.current()?.pid;
    },
  };
}

/**
 * Everything up to the server's own start: programs, the user to run as, the cluster, an empty
 * place to start in, a port.
 */
async function prepare(
  o: { dataDir: string; log: ServerLog; settings?: Record<string, string> },
  signal: AbortSignal,
): Promise<PostmasterOptions & { infoFile: string }> {
  const dataDir = resolve(o.dataDir);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const { initdb, postgres } = await postgresPrograms();
  await assertSameMajor(dataDir, postgres);
  const launcher = await chooseLauncher(postgres, dataDir);
  const cluster = await ensureCluster({ dataDir, initdb, launcher, signal });
  await endLeftoverServer(cluster.directory, o.log, signal);
  const infoFile = join(dataDir, 'postgres.json');
  return {
    postgres,
    launcher,
    cluster,
    port: await choosePort(await lastPort(infoFile)),
    settings: { ...defaults, ...o.settings },
    logFile: join(dataDir, 'postgres.log'),
    infoFile,
    log: o.log,
  };
}

function assertName(name: string): void {
  if (/^[a-z][a-z0-9_]{0,62}$/.test(name) && name !== 'postgres' && !/^(pg_|template)/.test(name))
    return;
  throw new Error(`"${name}" cannot be the name of an embedded database`);
}

/**
 * The port of the last run, so that an operator's client finds the server again; undefined on a
 * first start.
 */
async function lastPort(infoFile: string): Promise<number | undefined> {
  try {
    const { port } = JSON.parse(await readFile(infoFile, 'utf8')) as { port?: unknown };
    return Number.isInteger(port) ? (port as number) : undefined;
  } catch {
    return undefined; // a convenience: whatever is wrong with the file, another port does as well
  }
}

async function writeInfo(infoFile: string, info: object, log: ServerLog): Promise<void> {
  try {
    await writeFile(infoFile, `${JSON.stringify(info, null, 2)}\n`, { mode: 0o600 });
  } catch (error) {
    log.warn({ err: error }, `cannot write ${infoFile}; embedded PostgreSQL runs without it`);
  }
}
