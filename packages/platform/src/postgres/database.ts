import pg from 'pg';
import { codeOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { sessionSettings, setSession } from './session.ts';

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
/** The client's own clock, for a server that does not even send the statement's timeout. */
const queryTimeoutMs = 6_000;
/** A firewall forgets connections that are silent for long. */
const keepAliveMs = 10_000;

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
  const settings = sessionSettings(options);
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: `${schema}-${options.instance}`,
    max: options.connections,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    idleTimeoutMillis: 60_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    onConnect: (client) => setSession(client, settings, connectTimeoutMs),
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
  // An idle connection that is closed reports here; without a listener it would end the process. It
  // is no outage: a firewall, a pooler or an operator may close it, and the next statement opens
  // another.
  pool.on('error', (error) =>
    log.debug({ part: 'database', schema, err: error.message }, 'idle connection closed'),
  );
  // A busy one tells its statement too.
  pool.on('connect', (client) => client.on('error', () => undefined));

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
    query: (statement, values) => {
      const send = () => pool.query({ name: statement.name, text: statement.text, values });
      return run(async () => (await onOpenConnection(send)).rows);
    },
    withConnection: async (use) => {
      const client = await onOpenConnection(() => pool.connect());
      try {
        return await use(client);
      } finally {
        // Whatever it was in (settings of its own, an aborted transaction, a lock, a statement that
        // still runs) ends with the connection.
        client.release(true);
      }
    },
    unreachable: async () => {
      try {
        await run(() => onOpenConnection(() => pool.query('SELECT 1')));
        return undefined;
      } catch {
        return 'PostgreSQL cannot be reached.';
      }
    },
    close: () => pool.end(),
  };
}

/** A statement that met an idle connection just as it was closed goes to another, once. */
async function onOpenConnection<T>(send: () => Promise<T>): Promise<T> {
  try {
    return await send();
  } catch (error) {
    if (!wasClosedIdle(error)) throw error;
    return await send();
  }
}

/**
 * Whether the connection had been closed before the statement was carried out: the server says that
 * it closed it because nothing came (it reads the statement only after that), or the driver had
 * noticed the end and sent nothing.
 */
function wasClosedIdle(error: unknown): boolean {
  if (codeOf(error) === '57P05') return true;
  return error instanceof Error && /not queryable$/.test(error.message);
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
  if (wasClosedIdle(error)) return true;
  return error instanceof Error && /timeout exceeded when trying to connect/.test(error.message);
}
