import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { QueryConfig } from 'pg';
import type { Database } from './database.ts';
import { whatFailed } from './database.ts';
import type { Log } from './log.ts';

/** Any number, the same for every instance: only one of them migrates at a time. */
const lockNumber = 5_417_002;
const retryMs = 500;
/** A migration may rewrite a large table, and the other instances wait for it. */
const patienceMs = 3_600_000;

/**
 * Brings the schema up to date: runs each `NNN-name.sql` of the directory that was not run yet, in order, each in its own
 * transaction, one instance at a time. Waits for a database that is away until `signal` aborts; rejects when a file fails.
 */
export async function migrate(options: {
  database: Database;
  schema: string;
  directory: string;
  log: Log;
  signal?: AbortSignal;
}): Promise<void> {
  const { database, schema, directory, log, signal } = options;
  const files = (await readdir(directory)).filter((name) => name.endsWith('.sql')).sort();
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await run();
    } catch (error) {
      if (whatFailed(error) !== 'unavailable') throw error;
      log.warn({ station: 'database', schema, err: (error as Error).message }, 'waiting for the database');
      await delay(retryMs, undefined, signal ? { signal } : {});
    }
  }

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
        await query(`BEGIN; ${sql}; INSERT INTO migrations (name) VALUES ('${name}'); COMMIT`);
        log.info({ station: 'database', schema, migration: name }, 'schema migrated');
      }
      await query(`SELECT pg_advisory_unlock(${lockNumber}); RESET ALL`);
    });
  }
}
