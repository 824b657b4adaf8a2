import type pg from 'pg';
import { codeOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { watchStatements } from './in-flight.ts';
import {
  createRenewablePool,
  isBusyPool,
  openPool,
  type RenewablePool,
  wasClosedIdle,
} from './pool.ts';
import { createProbe } from './probe.ts';
import { createServerState, reasonOf, type Trouble } from './server-state.ts';

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
   * The reason why the database does not answer or takes no writes now, or undefined. Asked on a
   * connection of its own; bounded by the connect timeout and a second.
   */
  unreachable(): Promise<string | undefined>;
  /** What is known to be wrong with the server; asks nothing. */
  readonly trouble: Trouble | undefined;
  /** Another pool on the same server, which closes with this one. */
  beside(options: Pool): Database;
  close(): Promise<void>;
};

/**
 * `relaxed`: commits return before they are on disk; only for the marking of published events,
 * where a lost commit means a second copy and no loss.
 */
type Pool = { connections: number; relaxed?: boolean };

/**
 * A server that does not take a connection in this time is away: an order is answered 503 within a
 * second or two.
 */
const connectTimeoutMs = 1_000;
/**
 * A statement that takes longer may wait for a lock or for a server that has stopped; the probe
 * tells which.
 */
const overdueMs = 500;

/** A pool of connections to a service's own schema. */
export function createDatabase(
  options: Pool & { url: string; schema: string; instance: string; log: Log },
): Database {
  const { url, schema, instance, log } = options;
  const name = `${schema}-probe-${instance}`;
  const pools: RenewablePool[] = [];
  const state = createServerState({
    probe: createProbe({ url, name, connectMs: connectTimeoutMs }),
    schema,
    log,
    renewConnections() {
      for (const pool of pools) pool.renew();
    },
    cutConnections() {
      for (const pool of pools) pool.cut();
    },
  });
  const watched = watchStatements(overdueMs, () => void state.look());
  const demandAnswers = (): void => {
    if (state.trouble === 'silent') throw new ServerSilent();
  };
  const close = async (): Promise<void> => {
    await state.close();
    await Promise.all(pools.map((pool) => pool.close()));
  };
  const open = (of: Pool): Database => {
    const pool = createRenewablePool(() =>
      openPool({ ...options, ...of, connectMs: connectTimeoutMs }),
    );
    pools.push(pool);
    const run = async <T>(work: () => Promise<T>): Promise<T> => {
      try {
        const result = await watched(work);
        state.succeeded();
        return result;
      } catch (error) {
        if (whatFailed(error) === 'unavailable') state.failed(error);
        throw error;
      }
    };
    return {
      query: (statement, values) =>
        run(async () => {
          const query = { name: statement.name, text: statement.text, values };
          const send = async (current: pg.Pool) => {
            demandAnswers();
            return await current.query(query);
          };
          return (await pool.onOpenConnection(send)).rows;
        }),
      withConnection: async (use) => {
        const client = await pool.onOpenConnection((current) => current.connect());
        try {
          return await use(client);
        } finally {
          // Whatever it was in (settings of its own, an aborted transaction, a lock, a statement
          // that still runs) ends with the connection.
          client.release(true);
        }
      },
      unreachable: async () => {
        const trouble = await state.look();
        return trouble && reasonOf(trouble);
      },
      get trouble() {
        return state.trouble;
      },
      beside: open,
      close,
    };
  };
  return open(options);
}

/** The server has stopped answering; nothing is sent to it until the probe hears of it again. */
class ServerSilent extends Error {
  constructor() {
    super('PostgreSQL does not answer');
    this.name = 'ServerSilent';
  }
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
  return error instanceof ServerSilent || wasClosedIdle(error) || isBusyPool(error);
}
