import pg from 'pg';
import { withinOwnTime } from '../process/deadline.ts';

/** A server that has not answered the simplest question after this time does not answer now. */
const answerWithinMs = 1_000;
/** A disk may be slow without being full. */
const spilledWithinMs = 10_000;
/** A fail-over, or a new default of the database, is seen by a new connection only. */
const keptMs = 5_000;
/** The driver's own limits only clean up what was given up before. */
const cleanUpFactor = 3;

const question = `SELECT current_setting('transaction_read_only') AS read_only`;

/**
 * Sorts 8 MB with little memory, which needs a temporary file, and no right to any table. It fails
 * with SQLSTATE 53100 while the disk is full.
 */
const spill = `
  SET temp_tablespaces = '';
  SET work_mem = '64kB';
  SELECT count(*)
  FROM (SELECT repeat(md5(i::text), 32) AS text
        FROM generate_series(1, 8000) AS i
        ORDER BY text OFFSET 0) AS sorted`;

export type Finding = 'fine' | 'read_only';

/**
 * Asks the server how it is, on a connection of its own: busy pools do not delay it, and it keeps
 * none of theirs waiting.
 */
export type Probe = {
  /** Asks on the connection that is kept, or on a new one. Bounded; rejects as the driver does. */
  ask(): Promise<Finding>;
  /** Asks on a new connection; `disk`: also whether the server can write a file. */
  askAnew(more: { disk: boolean }): Promise<Finding>;
  close(): Promise<void>;
};

export function createProbe(options: { url: string; name: string; connectMs: number }): Probe {
  const { url, name, connectMs } = options;
  let kept: { client: pg.Client; openedAt: number } | undefined;
  let isRenewing = false;
  let isClosed = false;

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({
      connectionString: url,
      application_name: name,
      connectionTimeoutMillis: cleanUpFactor * connectMs,
      keepAlive: true,
    });
    // Closed while nobody asks: the next question opens another.
    client.on('error', () => forget(client));
    try {
      await withinOwnTime(connectMs, 'connecting to PostgreSQL', client.connect());
      return client;
    } catch (error) {
      end(client);
      throw error;
    }
  }

  async function ask(client: pg.Client): Promise<Finding> {
    const { rows } = await put<{ read_only: string }>(client, question, answerWithinMs);
    return rows[0]?.read_only === 'on' ? 'read_only' : 'fine';
  }

  async function put<Row extends pg.QueryResultRow>(
    client: pg.Client,
    text: string,
    ms: number,
  ): Promise<pg.QueryResult<Row>> {
    const query: pg.QueryConfig & { query_timeout: number } = {
      text,
      query_timeout: cleanUpFactor * ms,
    };
    try {
      return await withinOwnTime(ms, 'an answer of PostgreSQL', client.query<Row>(query));
    } catch (error) {
      forget(client);
      end(client);
      throw error;
    }
  }

  /**
   * The next question then goes to the server that new connections reach; until it is there, and
   * where it cannot be had, the old one serves.
   */
  function renew(): void {
    if (isRenewing) return;
    isRenewing = true;
    connect()
      .then(keep, () => undefined)
      .finally(() => {
        isRenewing = false;
      });
  }

  function keep(client: pg.Client): void {
    if (kept !== undefined) end(kept.client);
    if (isClosed) end(client);
    else kept = { client, openedAt: performance.now() };
  }

  async function askAnew(more: { disk: boolean }): Promise<Finding> {
    const client = await connect();
    const finding = await ask(client);
    if (more.disk) await put(client, spill, spilledWithinMs);
    keep(client);
    return finding;
  }

  function forget(client: pg.Client): void {
    if (kept?.client === client) kept = undefined;
  }

  return {
    async ask() {
      if (kept === undefined) return await askAnew({ disk: false });
      if (performance.now() - kept.openedAt > keptMs) renew();
      return await ask(kept.client);
    },
    askAnew,
    async close() {
      isClosed = true;
      await kept?.client.end();
    },
  };
}

/** In the background: a server that does not answer does not say goodbye either. */
function end(client: pg.Client): void {
  client.end().catch(() => undefined);
}
