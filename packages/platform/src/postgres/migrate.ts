import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { QueryConfig } from 'pg';
import { ConfigError } from '../process/config.ts';
import type { Log } from '../process/log.ts';
import type { Database } from './database.ts';
import { retryWhileUnavailable } from './wait-for-database.ts';

/** Any number, the same for every instance: only one of them migrates at a time. */
const lockNumber = 5_417_002;
/** A migration may rewrite a large table, and the other instances wait for it. */
const patienceMs = 3_600_000;
/**
 * Whoever wants a table meanwhile queues behind a migration that waits for it (behind a dump, say),
 * so it waits in short turns.
 */
const lockTurnMs = 1_000;

/** The oldest version that the statements are tested on. */
const oldestMajor = 15;

export type Migration = {
  database: Database;
  schema: string;
  directory: string;
  log: Log;
  signal?: AbortSignal;
};

/**
 * Brings the schema up to date: runs each `NNNN-name.sql` that was not run yet, first the shared
 * ones, then those of the directory, in order, each in its own transaction, one instance at a time.
 * Waits for a database that is away, or for a table that others hold, until `signal` aborts;
 * rejects when a file fails.
 */
export async function migrate(options: Migration): Promise<void> {
  const { database, schema, directory, log } = options;
  const files = await migrationsIn(directory);
  return await retryWhileUnavailable(options, run);

  async function run(): Promise<void> {
    await database.withConnection(async (client) => {
      const query = (text: string) => {
        const patient: QueryConfig & { query_timeout: number } = {
          text,
          query_timeout: patienceMs,
        };
        return client.query<{ name: string; version: number }>(patient);
      };
      refuseOldServer((await query(versionStatement.text)).rows[0]);
      await query(
        `SET statement_timeout = ${patienceMs}; SET lock_timeout = 0; SET enable_seqscan = on`,
      );
      // Released by the connection's end when something fails: an aborted transaction could not
      // even unlock.
      await query(`SELECT pg_advisory_lock(${lockNumber})`);
      await query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
      await query(
        'CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, run_at timestamptz NOT NULL DEFAULT now())',
      );
      const known = new Set(
        (await query('SELECT name FROM migrations')).rows.map(({ name }) => name),
      );
      refuseOlderLayout(schema, known);
      for (const { name, file } of files.filter(({ name }) => !known.has(name))) {
        const sql = await readFile(file, 'utf8');
        // One simple query message is one transaction.
        await query(
          `BEGIN; SET LOCAL lock_timeout = ${lockTurnMs}; ${sql}; INSERT INTO migrations (name) VALUES ('${name}'); COMMIT`,
        );
        log.info({ part: 'database', schema, migration: name }, 'schema migrated');
      }
      await query(`SELECT pg_advisory_unlock(${lockNumber})`);
    });
  }
}

/**
 * For a service whose role may not change tables: throws ConfigError, saying what to run, unless
 * every migration has been run and the role reads the schema but neither owns nor may create
 * anything there. Waits for a database that is away until `signal` aborts.
 */
export async function requireMigrated(options: Migration & { command: string }): Promise<void> {
  const { database, schema, directory, command } = options;
  await retryWhileUnavailable(options, async () => {
    const [server] = await database.query<{ version: number }>(versionStatement, []);
    refuseOldServer(server);
    const [found] = await database.query<Rights>(rightsStatement, [schema]);
    const run = `run ${command} with the role that owns the schema`;
    if (found?.exists !== true)
      throw new ConfigError([`the database has no schema ${schema}: ${run}`]);
    if (found.may_change) {
      throw new ConfigError([
        `PROFILE=prod: the service's role may create or change tables or schemas in its database; give it a role of its own and ${run}`,
      ]);
    }
    if (!found.may_read)
      throw new ConfigError([`the service's role may not read the schema ${schema}: ${run}`]);
    const known = await database.query<{ name: string }>(migrationsStatement, []);
    refuseOlderLayout(schema, new Set(known.map(({ name }) => name)));
    const missing = (await migrationsIn(directory))
      .map(({ name }) => name)
      .filter((file) => !known.some(({ name }) => name === file));
    if (missing.length > 0)
      throw new ConfigError([`the schema ${schema} lacks ${missing.join(', ')}: ${run}`]);
  });
}

/** The tables that every service has: its own migrations come after these. */
const shared = fileURLToPath(new URL('../../migrations', import.meta.url));

/** The shared migrations and those of the directory, in the order of their numbers. */
async function migrationsIn(directory: string): Promise<{ name: string; file: string }[]> {
  const found = await Promise.all(
    [shared, directory].map(async (folder) =>
      (await readdir(folder))
        .filter((name) => name.endsWith('.sql'))
        .map((name) => ({ name, file: path.join(folder, name) })),
    ),
  );
  return found.flat().sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Before anything is made there. */
function refuseOldServer(server: { version: number } | undefined): void {
  const major = Math.floor((server?.version ?? 0) / 10_000);
  if (major >= oldestMajor) return;
  throw new ConfigError([
    `the database is PostgreSQL ${major}: version ${oldestMajor} or newer is needed`,
  ]);
}

/** Migrations of older checkouts had three digits, and their tables other names. */
function refuseOlderLayout(schema: string, known: ReadonlySet<string>): void {
  const old = [...known].find((name) => /^\d{3}-/.test(name));
  if (old === undefined) return;
  throw new ConfigError([
    `the schema ${schema} was made by an older checkout (${old}), whose data cannot be taken along: use an empty database, or for npm start another DATA_DIR`,
  ]);
}

const versionStatement = {
  name: 'migrations-version',
  text: "SELECT current_setting('server_version_num')::int AS version",
};

type Rights = { exists: boolean; may_change: boolean; may_read: boolean };

// An owner may grant itself whatever it lacks, and a member of a role may become it.
const rightsStatement = {
  name: 'migrations-rights',
  text: `
    WITH own AS (SELECT to_regnamespace($1) AS schema)
    SELECT schema IS NOT NULL AS exists,
           has_schema_privilege(schema, 'CREATE')
             OR has_database_privilege(current_database(), 'CREATE')
             OR EXISTS (
               SELECT FROM pg_namespace
               WHERE oid = schema AND pg_has_role(nspowner, 'MEMBER'))
             OR EXISTS (
               SELECT FROM pg_class
               WHERE relnamespace = schema AND pg_has_role(relowner, 'MEMBER')) AS may_change,
           has_schema_privilege(schema, 'USAGE')
             AND coalesce(
               (SELECT has_table_privilege(oid, 'SELECT')
                FROM pg_class
                WHERE relnamespace = schema AND relname = 'migrations'),
               false) AS may_read
    FROM own`,
};

const migrationsStatement = { name: 'migrations-run', text: 'SELECT name FROM migrations' };
