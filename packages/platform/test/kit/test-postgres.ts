import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { startEmbeddedPostgres } from '@orders/embedded/postgres/server';
import pg from 'pg';
import { createDatabase, type Database } from '../../src/postgres/database.ts';
import { migrate } from '../../src/postgres/migrate.ts';
import { createLog, type Log } from '../../src/process/log.ts';

export const silentLog = createLog({ level: 'silent', isTerminal: false });

export type TestPostgres = Awaited<ReturnType<typeof startTestPostgres>>;

/**
 * One real PostgreSQL server for the calling test file; each test takes a schema of its own. Ends
 * with the file.
 */
export async function startTestPostgres(
  settings: Record<string, string> = {},
  otherDatabases: string[] = [],
) {
  const dataDir = await mkdtemp(join(tmpdir(), 'orders-test-'));
  const server = await startEmbeddedPostgres({
    dataDir,
    databases: ['tests', ...otherDatabases],
    log: { info: () => undefined, warn: () => undefined },
    settings,
  });
  // A test process that is ended before its hooks ran leaves no server behind.
  const endServer = () => {
    if (server.pid !== undefined) process.kill(server.pid, 'SIGINT');
  };
  process.once('exit', endServer);
  after(async () => {
    await server.close();
    process.off('exit', endServer);
    await rm(dataDir, { recursive: true, force: true });
  });
  const url = server.url('tests');
  let schemas = 0;
  return {
    url,
    /** URL of another database, as the role that owns it. */
    urlOf: server.url,
    /**
     * A schema with the service's tables, through `connect` once per instance, and plain SQL on it
     * through `sql`.
     */
    async schema(t: TestContext, migrations: string) {
      schemas += 1;
      const schema = `test_${schemas}`;
      const connect = (
        instance: string,
        options: { connections?: number; relaxed?: boolean; url?: string; log?: Log } = {},
      ) => {
        const database = createDatabase({
          url,
          schema,
          instance,
          connections: 4,
          log: silentLog,
          ...options,
        });
        t.after(() => database.close());
        return database;
      };
      await migrate({
        database: connect('migrator', { connections: 1 }),
        schema,
        directory: migrations,
        log: silentLog,
      });
      return { schema, connect, sql: await plainSql(t, url, schema) };
    },
  };
}

/** Runs SQL with PostgreSQL's own settings: the oracle, and the hand that breaks things. */
async function plainSql(t: TestContext, url: string, schema: string) {
  const client = new pg.Client({
    connectionString: url,
    options: `-c search_path=${schema}`,
    query_timeout: 60_000,
  });
  await client.connect();
  t.after(() => client.end());
  return async <Row extends object = Record<string, unknown>>(
    text: string,
    values: unknown[] = [],
  ): Promise<Row[]> => (await client.query<Row>(text, values)).rows;
}

export type Sql = Awaited<ReturnType<typeof plainSql>>;

/** A database whose statements can be watched, held up or broken, by statement name. */
export function intercept(
  database: Database,
  around: (name: string, run: () => Promise<unknown[]>) => Promise<unknown[]>,
): Database {
  const query = (statement: { name: string; text: string }, values: unknown[]) =>
    around(statement.name, () => database.query(statement, values));
  return { ...database, query: query as Database['query'] };
}
