import type pg from 'pg';

/** No statement of the house takes longer; one that does waits for a lock or a broken disk. */
const statementTimeoutMs = 5_000;
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
  enable_nestloop: 'on',
  enable_indexscan: 'on',
  enable_indexonlyscan: 'on',
  enable_sort: 'on',
  enable_incremental_sort: 'on',
  enable_hashagg: 'on',
  enable_material: 'on',
  enable_memoize: 'on',
  from_collapse_limit: '8',
  join_collapse_limit: '8',
  jit: 'off',
};

/**
 * What a statement means and how its values are written. A role, a database or a server may have
 * other defaults; each of these values is PostgreSQL's own.
 */
const pinnedMeaning = {
  array_nulls: 'on',
  backslash_quote: 'safe_encoding',
  bytea_output: 'hex',
  check_function_bodies: 'on',
  DateStyle: 'ISO, MDY',
  default_table_access_method: 'heap',
  extra_float_digits: '1',
  IntervalStyle: 'postgres',
  lc_numeric: 'C',
  lc_time: 'C',
  quote_all_identifiers: 'off',
  row_security: 'on',
  standard_conforming_strings: 'on',
  TimeZone: 'UTC',
  timezone_abbreviations: 'Default',
  transform_null_equals: 'off',
  xmlbinary: 'base64',
  xmloption: 'content',
};

/**
 * How transactions run and end. `default_transaction_read_only` is missing on purpose: operators
 * protect a database with it.
 */
const pinnedTransactions = {
  default_transaction_isolation: 'read committed',
  default_transaction_deferrable: 'off',
  // A pool keeps connections that nothing uses for a while.
  idle_session_timeout: '0',
  // A migration may pause between two files, and takes as long as it needs.
  idle_in_transaction_session_timeout: '0',
  transaction_timeout: '0',
};

/** The settings of a connection to `schema`, by name. `relaxed` as in `createDatabase`. */
export function sessionSettings(options: {
  schema: string;
  relaxed?: boolean;
}): Record<string, string> {
  return {
    ...pinnedPlans,
    ...pinnedMeaning,
    ...pinnedTransactions,
    search_path: options.schema,
    statement_timeout: `${statementTimeoutMs}ms`,
    lock_timeout: `${lockTimeoutMs}ms`,
    synchronous_commit: options.relaxed ? 'off' : 'on',
  };
}

/**
 * Sets a new connection; what this version of PostgreSQL does not know is left out. By a statement
 * and not by parameters of the start, which poolers refuse or drop. Rejects within `timeoutMs` with
 * the driver's error; the connection must not be used then.
 */
export async function setSession(
  client: pg.ClientBase,
  settings: Record<string, string>,
  timeoutMs: number,
): Promise<void> {
  const statement: pg.QueryConfig & { query_timeout: number } = {
    text: `
      SELECT set_config(s.name, wanted.value, false)
      FROM json_each_text($1) AS wanted
      JOIN pg_settings s ON s.name = wanted.key`,
    values: [JSON.stringify(settings)],
    query_timeout: timeoutMs,
  };
  await client.query(statement);
}
