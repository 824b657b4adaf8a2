import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePorts } from './free-ports.ts';
import { until } from './until.ts';

const run = promisify(execFile);
/** Where Debian's package has them; POSTGRES_BIN names those of another version. */
const programs = process.env.POSTGRES_BIN ?? '/usr/lib/postgresql/15/bin';

/** Debian's servers refuse to run as root; its packages make this user. */
async function postgresUser(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await idOf('-u'), gid: await idOf('-g') };
}

/** Ends the child before the test's process ends, whatever happens. */
function endWith(child: ChildProcess, signal: NodeJS.Signals): () => Promise<void> {
  const end = () => void child.kill(signal);
  process.once('exit', end);
  const ended = once(child, 'exit');
  return async () => {
    end();
    await ended;
    process.off('exit', end);
  };
}

/**
 * A PostgreSQL 15 of Debian's package with a role and a database for each service. Undefined, and
 * the test is left out loudly, where the package is not installed; an error with
 * REQUIRE_POSTGRES_15=1. The caller closes it.
 */
export async function startPostgres15(t: TestContext) {
  if (!existsSync(join(programs, 'postgres'))) {
    const said = 'needs PostgreSQL 15 (Debian: apt-get install postgresql-15)';
    if (process.env.REQUIRE_POSTGRES_15 === '1') throw new Error(said);
    t.skip(said);
    return undefined;
  }
  const directory = await mkdtemp(join(tmpdir(), 'orders-postgres-15-'));
  const user = await postgresUser();
  if (user !== undefined) await chown(directory, user.uid, user.gid);
  const data = join(directory, 'data');
  await run(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--locale=C'],
    { ...user, cwd: directory },
  );
  const [port] = await freePorts(1);
  const settings = [`port=${port}`, 'listen_addresses=127.0.0.1', 'unix_socket_directories='];
  const server = spawn(
    join(programs, 'postgres'),
    ['-D', data, ...settings.flatMap((setting) => ['-c', setting])],
    { ...user, cwd: directory, stdio: 'ignore' },
  );
  // A test that fails before it closes this must end all the same.
  server.unref();
  const end = endWith(server, 'SIGINT');
  const urlOf = (name: string) => `postgres://${name}@127.0.0.1:${port}/${name}`;
  await until('PostgreSQL 15', 30, async () => {
    const client = new pg.Client({ connectionString: urlOf('postgres') });
    await client.connect();
    for (const name of ['orders', 'fulfillment']) {
      await client.query(`CREATE ROLE ${name} LOGIN`);
      await client.query(`CREATE DATABASE ${name} OWNER ${name}`);
    }
    await client.end();
    return true;
  });
  return {
    orders: urlOf('orders'),
    fulfillment: urlOf('fulfillment'),
    async close() {
      await end();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
