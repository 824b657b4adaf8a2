import pg from 'pg';
import { codeOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';

/** A named statement: prepared once per connection, planned once (see `pinnedPlans`). */
type Statement = { name: string; text: string };

export type Database = {
  /**
   * Runs one autocommit statement and returns its rows. Rejects with the driver's error; see
   * `whatFailed`.
   */
  query<Row extends pg.QueryResultRow>(statement: Statement, values: unknown[]): Promise<Row[]>;
  /**
   * Runs statements on one connection, for migrations; the hot paths never hold a connection across
   * statements.
   */
  withConnection<R>(use: (client: pg.ClientBase) => Promise<R>): Promise<R>;
  /**
   * The reason why the database does not answer now, or undefined. Bounded by the connect and
   * statement timeouts.
   */
  unreachable(): Promise<string | undefined>;
  close(): Promise<void>;
};

/**
 * A server that does not take a connection in this time is away: an order is answered 503 within a
 * second or two.
 */
const connectTimeoutMs = 1_000;
/** No statement of the house takes longer; one that does waits for a lock or a broken disk. */
const statementTimeoutMs = 5_000;
/** The client's own clock, for a server that does not even send the statement's timeout. */
const queryTimeoutMs = 6_000;
/** A row lock is held for one autocommit statement, so a longer wait means trouble elsewhere. */
const lockTimeoutMs = 2_000;

/**
 * Tables start empty, and a generic plan made then may choose a scan that grows with the table. The
 * hot statements reach every row through an index, so other ways are switched off for these
 * connections, and no plan is made per call.
 */
const pinnedPlans = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  // Lists of ids are then locked in the order of the index, as in every other statement, and not in
  // that of the table.
  enable_bitmapscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
  jit: 'off',
};

/**
 * A pool of connections to a service's own schema. `relaxed`: commits return before they are on
 * disk; only for the marking of published events, where a lost commit means a second copy and no
 * loss.
 */
export function createDatabase(options: {
  url: string;
  schema: string;
  instance: string;
  connections: number;
  relaxed?: boolean;
  log: Log;
}): Database {
  const { schema, log } = options;
  const settings = {
    ...pinnedPlans,
    search_path: schema,
    lock_timeout: String(lockTimeoutMs),
    synchronous_commit: options.relaxed ? 'off' : 'on',
  };
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: `${schema}-${options.instance}`,
    max: options.connections,
    connectionTimeoutMillis: connectTimeoutMs,
    statement_timeout: statementTimeoutMs,
    query_timeout: queryTimeoutMs,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    options: Object.entries(settings)
      .map(([name, value]) => `-c ${name}=${value}`)
      .join(' '),
  });
  let isAway = false;
  const notice = (error: unknown): void => {
    if (isAway || whatFailed(error) !== 'unavailable') return;
    isAway = true;
    log.warn({ part: 'database', schema, err: (error as Error).message }, 'database away');
  };
  const noticeBack = (): void => {
    if (isAway) log.info({ part: 'database', schema }, 'database back');
    isAway = false;
  };
  // An idle connection that the server closes reports here; without a listener it would end the
  // process.
  pool.on('error', notice);
  pool.on('connect', (client) => client.on('error', notice));

  const run = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      const result = await work();
      noticeBack();
      return result;
    } catch (error) {
      notice(error);
      throw error;
    }
  };
  return {
    query: (statement, values) =>
      run(
        async () => (await pool.query({ name: statement.name, text: statement.text, values })).rows,
      ),
    withConnection: async (use) => {
      const client = await pool.connect();
      try {
        const result = await use(client);
        client.release();
        return result;
      } catch (error) {
        // Whatever it was in (an aborted transaction, a lock, a statement that still runs) ends
        // with the connection.
        client.release(true);
        throw error;
      }
    },
    unreachable: async () => {
      try {
        await run(() => pool.query('SELECT 1'));
        return undefined;
      } catch {
        return 'PostgreSQL cannot be reached.';
      }
    },
    close: () => pool.end(),
  };
}

export type DatabaseFailure = 'data' | 'conflict' | 'lock' | 'bug' | 'unavailable';

/**
 * What a failed statement means: `data`, a row of it can never be stored (SQLSTATE classes 22, 23,
 * 54); `conflict`, it may be repeated at once; `lock`, it waited too long for another; `bug`, the
 * code or the SQL is wrong; anything else: the database is away or the verdict was lost, so the
 * statement may or may not have been carried out.
 */
export function whatFailed(error: unknown): DatabaseFailure {
  if (error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError)
    return 'bug';
  // A file of ours that cannot be read is no database that is away.
  if (error instanceof Error && 'path' in error && 'syscall' in error) return 'bug';
  const state = codeOf(error) ?? '';
  if (!/^[0-9A-Z]{5}$/.test(state)) return 'unavailable';
  if (state === '40P01' || state === '40001') return 'conflict';
  if (state === '55P03') return 'lock';
  if (state.startsWith('42')) return 'bug';
  return ['22', '23', '54'].includes(state.slice(0, 2)) ? 'data' : 'unavailable';
}

/**
 * Whether the statement surely never reached the server: no connection could be made, or the server
 * took none.
 */
export function wasNeverSent(error: unknown): boolean {
  const code = codeOf(error) ?? '';
  if (['ECONNREFUSED', 'ENOTFOUND', 'EHOSTUNREACH', '57P03', '53300'].includes(code)) return true;
  return error instanceof Error && /timeout exceeded when trying to connect/.test(error.message);
}
