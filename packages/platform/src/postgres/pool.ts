import pg from 'pg';
import { DeadlinePassed, within } from '../process/deadline.ts';
import { codeOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { sessionSettings, setSession } from './session.ts';

/** The client's own clock, for a server that does not even send the statement's timeout. */
const queryTimeoutMs = 6_000;
const idleTimeoutMs = 60_000;
/** A firewall forgets connections that are silent for long. */
const keepAliveMs = 10_000;
/** A server that does not answer does not take leave either; statements in flight end by then. */
const closeMs = queryTimeoutMs + 1_000;

/** Opens no connection yet. */
export function openPool(options: {
  url: string;
  schema: string;
  instance: string;
  connections: number;
  connectMs: number;
  relaxed?: boolean;
  log: Log;
}): pg.Pool {
  const { schema, connectMs, log } = options;
  const settings = sessionSettings(options);
  const pool = new pg.Pool({
    connectionString: options.url,
    application_name: `${schema}-${options.instance}`,
    max: options.connections,
    connectionTimeoutMillis: connectMs,
    query_timeout: queryTimeoutMs,
    idleTimeoutMillis: idleTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: keepAliveMs,
    onConnect: (client) => setSession(client, settings, connectMs),
  });
  // An idle connection that is closed reports here; without a listener it would end the process. It
  // is no outage: a firewall, a pooler or an operator may close it, and the next statement opens
  // another.
  pool.on('error', (error) =>
    log.debug({ part: 'database', schema, err: error.message }, 'idle connection closed'),
  );
  // A busy one tells its statement too.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

/** A pool whose connections can all be replaced. */
export type RenewablePool = {
  /**
   * `use` sends one statement, or checks a connection out. It is called a second time where the
   * connection turned out to be closed before anything was carried out.
   */
  onOpenConnection<T>(use: (pool: pg.Pool) => Promise<T>): Promise<T>;
  /** From now on statements go over new connections; those in flight end on the old ones. */
  renew(): void;
  /** As `renew`, but statements in flight reject now. */
  cut(): void;
  /** Waits a while for the server to take leave. */
  close(): Promise<void>;
};

export function createRenewablePool(open: () => pg.Pool): RenewablePool {
  const clients = new Set<pg.Client>();
  const ending = new Set<Promise<void>>();
  let current = openTracked();

  function openTracked(): pg.Pool {
    const pool = open();
    pool.on('connect', (client) => void clients.add(client));
    pool.on('remove', (client) => void clients.delete(client));
    return pool;
  }

  function renew(): void {
    const old = current;
    current = openTracked();
    const end = old.end().finally(() => ending.delete(end));
    ending.add(end);
  }

  return {
    async onOpenConnection(use) {
      const mine = current;
      try {
        return await use(mine);
      } catch (error) {
        // Who waited for a connection of a pool that was replaced waits for one of the new pool.
        const wasReplaced = mine !== current && isBusyPool(error);
        if (!wasReplaced && !wasClosedIdle(error)) throw error;
        return await use(current);
      }
    },
    renew,
    cut() {
      const cut = [...clients];
      renew();
      // The driver closes the socket of a busy connection without waiting for the server.
      for (const client of cut) client.end().catch(() => undefined);
    },
    async close() {
      const ended = Promise.all([current.end(), ...ending]);
      await within(closeMs, 'closing connections', ended).catch((error) => {
        if (!(error instanceof DeadlinePassed)) throw error;
      });
    },
  };
}

/** All connections are in use; the server may be well. */
export const isBusyPool = (error: unknown): boolean =>
  error instanceof Error && /timeout exceeded when trying to connect/.test(error.message);

/**
 * Whether the connection had been closed before the statement was carried out: the server says that
 * it closed it because nothing came (it reads the statement only after that), or the driver had
 * noticed the end and sent nothing.
 */
export function wasClosedIdle(error: unknown): boolean {
  if (codeOf(error) === '57P05') return true;
  return error instanceof Error && /not queryable$/.test(error.message);
}
