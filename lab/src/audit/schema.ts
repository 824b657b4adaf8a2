import pg from 'pg';
import { AuditError } from './report.ts';

const connectTimeoutMs = 5_000;
/** A page is one index range; one that takes longer is on a database in trouble. */
const statementTimeoutMs = 30_000;
export const pageSize = 5_000;

/**
 * Set by a statement, because poolers refuse them at the start of a connection. What a role or a
 * database has as its default may change the meaning of SQL or of a value.
 */
const settings = `
  SET array_nulls = on;
  SET bytea_output = hex;
  SET DateStyle = ISO, MDY;
  SET default_transaction_isolation = 'read committed';
  SET default_transaction_read_only = on;
  SET extra_float_digits = 1;
  SET idle_session_timeout = 0;
  SET IntervalStyle = postgres;
  SET quote_all_identifiers = off;
  SET standard_conforming_strings = on;
  SET statement_timeout = ${statementTimeoutMs};
  SET TimeZone = UTC;
  SET transform_null_equals = off;
  -- Pages are ranges of the primary key, also where a table has no statistics yet.
  SET enable_seqscan = off;
  SET enable_bitmapscan = off;
  SET enable_indexscan = on;
  SET jit = off`;

/** The way into a service's database: reads only, one short statement at a time. */
export type Schema = {
  /** Rejects with AuditError, which names the database and what it says. */
  query<Row extends object>(text: string, values?: unknown[]): Promise<Row[]>;
  close(): Promise<void>;
};

/** Connects as the service would. Throws AuditError when the database is away. */
export async function openSchema(variable: string, url: string): Promise<Schema> {
  const client = new pg.Client({
    connectionString: url,
    application_name: 'audit',
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: statementTimeoutMs + 1_000,
  });
  const attempt = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw new AuditError(`The database of ${variable} cannot be read: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  };
  // A connection lost between two statements; the next one says so.
  client.on('error', () => undefined);
  await attempt(async () => {
    await client.connect();
    await client.query(settings);
  });
  return {
    query: (text, values = []) => attempt(async () => (await client.query(text, values)).rows),
    close: () => client.end(),
  };
}

/**
 * Reads a table in pages by its key. `select` gives the statement for what comes after a key, or
 * for the beginning where that is undefined: sorted by key, at most `pageSize` rows.
 */
export async function* pagesOf<Row, Key>(
  read: (after: Key | undefined) => Promise<Row[]>,
  keyOf: (row: Row) => Key,
): AsyncGenerator<Row[]> {
  for (let after: Key | undefined; ; ) {
    const rows = await read(after);
    const last = rows.at(-1);
    if (last === undefined) return;
    yield rows;
    if (rows.length < pageSize) return;
    after = keyOf(last);
  }
}

/**
 * SHA-256 as the mock provider makes it of a booking (content-hash.ts there). `text` is what is
 * parsed: of an escape that PostgreSQL has no character for, nothing is known.
 */
export const contentHash = (text: string, id: string, name: string, items: string): string => `
  CASE WHEN ${text} !~ '\\\\u(0000|[dD][89a-fA-F])' THEN
    encode(sha256(convert_to(concat_ws(chr(31), ${id}, ${name}, (
      SELECT string_agg(
        concat_ws(chr(31), i.item->>'productId', i.item->>'quantity'), chr(31) ORDER BY i.n)
      FROM json_array_elements(${items}) WITH ORDINALITY AS i (item, n))), 'UTF8')), 'hex')
  END`;

/** The innermost message that says something: of several addresses tried, the first one's. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.message === '' ? error.name : error.message;
}
