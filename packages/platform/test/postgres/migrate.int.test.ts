import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import pg from 'pg';
import { createDatabase, type Database } from '../../src/postgres/database.ts';
import { migrate, requireMigrated } from '../../src/postgres/migrate.ts';
import { migrateAndGrant } from '../../src/postgres/migrate-command.ts';
import { silentLog, startTestPostgres } from '../kit/test-postgres.ts';
import { until } from '../kit/until.ts';

const postgres = await startTestPostgres({}, ['service']);
const command = 'npm run migrate:things';

async function things(t: TestContext, schema: string) {
  const directory = await mkdtemp(join(tmpdir(), 'orders-migrations-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  await writeFile(
    join(directory, '1001-things.sql'),
    'CREATE TABLE things (id integer PRIMARY KEY)',
  );
  const client = new pg.Client({ connectionString: postgres.url });
  await client.connect();
  t.after(() => client.end());
  await client.query('GRANT CONNECT ON DATABASE tests TO service');
  const serviceUrl = postgres.urlOf('service').replace(/\/service(?=\?|$)/, '/tests');
  const database = createDatabase({
    url: serviceUrl,
    schema,
    instance: 't',
    connections: 1,
    log: silentLog,
  });
  t.after(() => database.close());
  return {
    client,
    directory,
    database,
    migrate: () =>
      migrateAndGrant({ schema, directory, ownerUrl: postgres.url, serviceUrl, log: silentLog }),
    require: (of = database) =>
      requireMigrated({ database: of, schema, directory, log: silentLog, command }),
  };
}

test('a service role without rights on tables reads and writes rows after the owner has migrated, and changes no table', async (t) => {
  const { database, migrate, require } = await things(t, 'granted');
  await migrate();
  await migrate();
  await require();
  await database.query({ name: 'in', text: 'INSERT INTO things (id) VALUES ($1)' }, [1]);
  await database.query({ name: 'out', text: 'DELETE FROM things WHERE id = $1' }, [1]);
  for (const text of [
    'CREATE TABLE more (id integer)',
    'DROP TABLE things',
    'ALTER TABLE things ADD COLUMN x text',
  ]) {
    await assert.rejects(database.query({ name: text, text }, []), { code: '42501' }, text);
  }
  const forged = { name: 'forge', text: "INSERT INTO migrations (name) VALUES ('x')" };
  await assert.rejects(database.query(forged, []), { code: '42501' });
});

test('a service in prod says what to run where its schema is missing or behind', async (t) => {
  const { directory, migrate, require } = await things(t, 'behind');
  await assert.rejects(require(), /no schema behind: run npm run migrate:things/);
  await migrate();
  await writeFile(join(directory, '1002-more.sql'), 'CREATE TABLE more (id integer)');
  await assert.rejects(require(), /lacks 1002-more\.sql: run npm run migrate:things/);
  await migrate();
  await require();
});

test('a service in prod refuses a role that may change its tables, however it may', async (t) => {
  const { client, migrate, require } = await things(t, 'owned');
  await migrate();
  const owner = createDatabase({
    url: postgres.url,
    schema: 'owned',
    instance: 'o',
    connections: 1,
    log: silentLog,
  });
  t.after(() => owner.close());
  const refusal = /may create or change tables .* run npm run migrate:things/;
  await assert.rejects(require(owner), refusal);
  for (const [may, mayNot] of [
    ['GRANT CREATE ON DATABASE tests TO service', 'REVOKE CREATE ON DATABASE tests FROM service'],
    ['GRANT CREATE ON SCHEMA owned TO service', 'REVOKE CREATE ON SCHEMA owned FROM service'],
  ] as const) {
    await require();
    await client.query(may);
    await assert.rejects(require(), refusal, may);
    await client.query(mayNot);
  }
});

test('a service in prod whose role was given nothing says what to run', async (t) => {
  const { client, migrate, require } = await things(t, 'closed');
  await migrate();
  await client.query('REVOKE ALL ON SCHEMA closed FROM service');
  await assert.rejects(require(), /may not read the schema closed: run npm run migrate:things/);
});

test('a migration that waits for a table under a dump keeps nobody else from it for longer than a second, and then goes on', async (t) => {
  const { directory, database, migrate, require } = await things(t, 'dumped');
  await migrate();
  await writeFile(join(directory, '1002-more.sql'), 'ALTER TABLE things ADD COLUMN more text');
  const dump = new pg.Client({ connectionString: postgres.url });
  await dump.connect();
  t.after(() => dump.end());
  await dump.query('BEGIN; LOCK TABLE dumped.things IN ACCESS SHARE MODE');
  const migrating = migrate();
  const isQueued = async () =>
    (await dump.query("SELECT 1 FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND NOT granted"))
      .rowCount === 1;
  await until('the migration to wait for the table', isQueued);
  // A wait for a lock of two seconds is an error.
  await database.query({ name: 'in', text: 'INSERT INTO things (id) VALUES ($1)' }, [1]);
  await dump.query('COMMIT');
  await migrating;
  await require();
});

test('the data of an older checkout is refused with a sentence, and nothing is touched', async (t) => {
  const { client, migrate, require } = await things(t, 'older');
  await client.query('CREATE SCHEMA older; CREATE TABLE older.migrations (name text, run_at date)');
  await client.query("INSERT INTO older.migrations (name) VALUES ('001-orders.sql')");
  const sentence = /older checkout \(001-orders\.sql\).*use an empty database.*DATA_DIR/;
  await assert.rejects(migrate(), sentence);
  const { rows } = await client.query(
    "SELECT relname FROM pg_class WHERE relnamespace = 'older'::regnamespace",
  );
  assert.deepEqual(rows, [{ relname: 'migrations' }]);
  await client.query('GRANT USAGE ON SCHEMA older TO service');
  await client.query('GRANT SELECT ON older.migrations TO service');
  await assert.rejects(require(), sentence);
});

test('a server older than PostgreSQL 15 is refused in one sentence, and nothing else is asked of it', async (t) => {
  const { schema } = await postgres.schema(t, import.meta.dirname);
  const { database, directory } = await things(t, schema);
  const asked: string[] = [];
  const ask = async ({ text }: { text: string }) => {
    asked.push(text);
    return [{ version: 140_012 }];
  };
  const old = { ...database, query: ask } as unknown as Database;
  old.withConnection = (use) =>
    use({ query: async (query: { text: string }) => ({ rows: await ask(query) }) } as never);
  const options = { database: old, schema, directory, log: silentLog };
  const refused = /the database is PostgreSQL 14: version 15 or newer is needed/;
  await assert.rejects(migrate(options), refused);
  await assert.rejects(requireMigrated({ ...options, command }), refused);
  assert.equal(asked.length, 2);
  for (const text of asked) assert.match(text, /server_version_num/);
});
