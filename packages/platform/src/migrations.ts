import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { QueryConfig } from 'pg';
import { ConfigError } from './config.ts';
import type { Database } from './database.ts';
import { whatFailed } from './database.ts';
import type { Log } from './log.ts';

/** Any number, the same for every instance: only one of them migrates at a time. */
const lockNumber = 5_417_002;
const retryMs = 500;
/** A migration may rewrite a large table, and the other instances wait for it. */
const patienceMs = 3_600_000;
/** Whoever wants a table meanwhile queues behind a migration that waits for it (behind a dump, say), so it waits in short turns. */
const lockTurnMs = 1_000;

export type Migration = {
  database: Database;
  schema: string;
  directory: string;
  log: Log;
  signal?: AbortSignal;
};

/**
 * Brings the schema up to date: runs each `NNN-name.sql` of the directory that was not run yet, in order, each in its own
 * transaction, one instance at a time. Waits for a database that is away, or for a table that others hold, until `signal` aborts;
 * rejects when a file fails.
 */
export async function migrate(options: Migration): Promise<void> {
  const { database, schema, directory, log } = options;
  const files = await migrationsIn(directory);
  return await patiently(options, run);

  async function run(): Promise<void> {
    await database.withConnection(async (client) => {
      const query = (text: string) => {
        const patient: QueryConfig & { query_timeout: number } = { text, query_timeout: patienceMs };
        return client.query<{ name: string }>(patient);
      };
      await query(`SET statement_timeout = ${patienceMs}; SET lock_timeout = 0; SET enable_seqscan = on`);
      // Released by the connection's end when something fails: an aborted transaction could not even unlock.
      await query(`SELECT pg_advisory_lock(${lockNumber})`);
      await query(`CREATE SCHEMA IF NOT EXISTS ${schema}`);
      await query(
        'CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, run_at timestamptz NOT NULL DEFAULT now())',
      );
      const known = new Set((await query('SELECT name FROM migrations')).rows.map(({ name }) => name));
      for (const name of files.filter((file) => !known.has(file))) {
        const sql = await readFile(path.join(directory, name), 'utf8');
        // One simple query message is one transaction.
        await query(
          `BEGIN; SET LOCAL lock_timeout = ${lockTurnMs}; ${sql}; INSERT INTO migrations (name) VALUES ('${name}'); COMMIT`,
        );
        log.info({ station: 'database', schema, migration: name }, 'schema migrated');
      }
      await query(`SELECT pg_advisory_unlock(${lockNumber}); RESET ALL`);
    });
  }
}

/**
 * For a service whose role may not change tables: throws ConfigError, saying what to run, unless every migration has been run and the role neither
 * owns nor may create anything in the schema. Waits for a database that is away until `signal` aborts.
 */
export async function requireMigrated(options: Migration & { command: string }): Promise<void> {
  const { database, schema, directory, command } = options;
  await patiently(options, async () => {
    const [found] = await database.query<{ exists: boolean; may_create: boolean }>(schemaStatement, [schema]);
    const run = `run ${command} with the role that owns the schema`;
    if (found?.exists !== true) throw new ConfigError([`the database has no schema ${schema}: ${run}`]);
    if (found.may_create) {
      throw new ConfigError([
        `PROFILE=prod: the service's role may create tables in the schema ${schema}; give it a role of its own and ${run}`,
      ]);
    }
    const known = await database.query<{ name: string }>(migrationsStatement, []);
    const missing = (await migrationsIn(directory)).filter((file) => !known.some(({ name }) => name === file));
    if (missing.length > 0) throw new ConfigError([`the schema ${schema} lacks ${missing.join(', ')}: ${run}`]);
  });
}

async function migrationsIn(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
}

async function patiently({ schema, log, signal }: Migration, work: () => Promise<void>): Promise<void> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      const failure = whatFailed(error);
      if (error instanceof ConfigError || (failure !== 'unavailable' && failure !== 'lock')) throw error;
      const waitsFor =
        failure === 'lock' ? 'others hold a table that is to be changed, waiting' : 'waiting for the database';
      log.warn({ station: 'database', schema, err: (error as Error).message }, waitsFor);
      await delay(retryMs, undefined, signal ? { signal } : {});
    }
  }
}

const schemaStatement = {
  name: 'migrations-schema',
  text: `
    SELECT to_regnamespace($1) IS NOT NULL AS exists,
           coalesce(has_schema_privilege(current_user, to_regnamespace($1), 'CREATE'), false) AS may_create`,
};

const migrationsStatement = { name: 'migrations-run', text: 'SELECT name FROM migrations' };
