import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { elapse, until } from '../kit/until.ts';

/** Longer than a start of PostgreSQL after a kill that nobody waited for. */
const healSeconds = 60;

/**
 * The server takes no writes for a while, as a standby that clients were moved to, or a guard
 * against a full disk. `databaseUrl` is any database of the server below `dataDir`.
 */
export async function readOnlySpell(
  databaseUrl: string,
  dataDir: string,
  durationMs: number,
): Promise<void> {
  await run('ALTER SYSTEM SET default_transaction_read_only = on');
  try {
    await elapse(durationMs);
  } finally {
    await run('ALTER SYSTEM RESET default_transaction_read_only');
  }

  /** As superuser; again and again until it is done, for other faults may strike meanwhile. */
  async function run(statement: string): Promise<void> {
    await until(statement, healSeconds, async () => {
      const url = new URL(databaseUrl);
      url.username = 'postgres';
      url.password = readFileSync(join(dataDir, 'postgres-password'), 'utf8');
      url.pathname = '/postgres';
      const client = new pg.Client({ connectionString: url.href, connectionTimeoutMillis: 2_000 });
      client.on('error', () => undefined);
      try {
        await client.connect();
        await client.query('SET default_transaction_read_only = off');
        await client.query(statement);
        await client.query('SELECT pg_reload_conf()');
        return true;
      } finally {
        await client.end().catch(() => undefined);
      }
    });
  }
}
