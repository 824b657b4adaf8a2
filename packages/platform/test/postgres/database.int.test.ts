import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createDatabase, wasNeverSent, whatFailed } from '../../src/postgres/database.ts';
import { migrate } from '../../src/postgres/migrate.ts';
import type { Log } from '../../src/process/log.ts';
import { silentLog, startTestPostgres } from '../kit/test-postgres.ts';
import { until, within } from '../kit/until.ts';

const postgres = await startTestPostgres();
const empty = import.meta.dirname;

async function directory(t: TestContext, files: Record<string, string>): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'migrations-'));
  t.after(() => rm(path, { recursive: true }));
  for (const [name, sql] of Object.entries(files)) await writeFile(join(path, name), sql);
  return path;
}

test('migrations run once each and in order, however many instances start together', async (t) => {
  const { schema, connect, sql } = await postgres.schema(t, empty);
  const files = {
    '1002-more.sql': 'INSERT INTO things SELECT 2',
    '1001-things.sql': 'CREATE TABLE things (id int); INSERT INTO things VALUES (1)',
  };
  const path = await directory(t, files);
  const starts = ['a', 'b', 'c', 'd'].map((instance) =>
    migrate({ database: connect(instance), schema, directory: path, log: silentLog }),
  );
  await within('all are migrated', Promise.all(starts));
  assert.deepEqual(await sql('SELECT id FROM things ORDER BY id'), [{ id: 1 }, { id: 2 }]);
});

test('a migration that fails leaves nothing of itself, rejects, and holds no lock', async (t) => {
  const { schema, connect, sql } = await postgres.schema(t, empty);
  const broken = await directory(t, {
    '1001-bad.sql': 'CREATE TABLE half (id int); SELECT nonsense',
  });
  const database = connect('a');
  await assert.rejects(
    migrate({ database, schema, directory: broken, log: silentLog }),
    /nonsense/,
  );
  assert.deepEqual(await sql("SELECT to_regclass('half') AS half"), [{ half: null }]);
  const good = await directory(t, { '1001-good.sql': 'CREATE TABLE whole (id int)' });
  await within(
    'another',
    migrate({ database: connect('b'), schema, directory: good, log: silentLog }),
    5_000,
  );
  await within('the same', migrate({ database, schema, directory: good, log: silentLog }), 5_000);
});

test('a migration may take longer than any statement of the house, and others wait for it', async (t) => {
  const { schema, connect, sql } = await postgres.schema(t, empty);
  const path = await directory(t, {
    '1001-long.sql':
      'CREATE TABLE runs (id int); INSERT INTO runs VALUES (1); SELECT pg_sleep(6.5)',
  });
  const databases = ['a', 'b'].map((instance) => connect(instance));
  await Promise.all(
    databases.map((database) => migrate({ database, schema, directory: path, log: silentLog })),
  );
  assert.deepEqual(await sql('SELECT id FROM runs'), [{ id: 1 }]);
  assert.deepEqual(
    await sql("SELECT pid FROM pg_locks WHERE locktype = 'advisory'"),
    [],
    'nobody holds the lock',
  );
  for (const database of databases) {
    const [row] = await database.query<{ ms: string }>(
      { name: 'show', text: 'SHOW statement_timeout' },
      [],
    );
    assert.deepEqual(row, { statement_timeout: '5s' });
  }
});

test('what failed is told apart by its SQLSTATE', async (t) => {
  const { connect, sql } = await postgres.schema(t, empty);
  await sql('CREATE TABLE things (id int PRIMARY KEY, name text NOT NULL)');
  const database = connect('a');
  const failing = async (text: string, values: unknown[] = []) => {
    const error: unknown = await database.query({ name: '', text }, values).then(
      () => assert.fail('it should fail'),
      (e: unknown) => e,
    );
    return whatFailed(error);
  };
  assert.equal(await failing("INSERT INTO things VALUES (1, 'a'), (1, 'b')"), 'data');
  assert.equal(await failing('INSERT INTO things VALUES ($1, $2)', [1, 'a\u0000b']), 'data');
  assert.equal(await failing('SELECT $1::int', ['99999999999']), 'data');
  assert.equal(await failing('SELECT nonsense'), 'bug');
  assert.equal(await failing('SELECT pg_terminate_backend(pg_backend_pid())'), 'unavailable');
  assert.equal(whatFailed(new TypeError('x')), 'bug');
  for (const code of ['ECONNRESET', 'EPIPE', '57P01', '57014', '08006', undefined]) {
    assert.equal(whatFailed(Object.assign(new Error('x'), { code })), 'unavailable', code);
  }
  assert.equal(whatFailed({ code: '40P01' }), 'conflict');
  assert.equal(whatFailed({ code: '55P03' }), 'lock');
  assert.equal(whatFailed(undefined), 'unavailable');
});

test('terminated connections, busy and idle, end neither the process nor the pool', async (t) => {
  const { connect, sql } = await postgres.schema(t, empty);
  const database = connect('a');
  const slow = database.query({ name: 'slow', text: 'SELECT pg_sleep(60)' }, []);
  await Promise.all([1, 2].map(() => database.query({ name: 'one', text: 'SELECT 1' }, [])));
  const kill = () =>
    sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE '%-a' AND pid <> pg_backend_pid()",
    );
  await Promise.all([assert.rejects(slow), kill()]);
  await until('it answers again', async () => (await database.unreachable()) === undefined, 5_000);
});

test('an idle connection that is closed is no outage, even as a statement is about to use it', async (t) => {
  const { connect, sql } = await postgres.schema(t, empty);
  const said: string[] = [];
  const warn = (_: object, line: string) => void said.push(line);
  const database = connect('idle', { connections: 1, log: { ...silentLog, warn } as Log });
  const pid = async () =>
    (
      await database.query<{ pid: number }>(
        { name: '', text: 'SELECT pg_backend_pid() AS pid' },
        [],
      )
    )[0]?.pid;
  const isOpen = async (backend: number | undefined) =>
    (await sql('SELECT FROM pg_stat_activity WHERE pid = $1', [backend])).length > 0;
  const first = await pid();
  await sql('SELECT pg_terminate_backend($1)', [first]);
  await until('its end', async () => !(await isOpen(first)), 5_000);
  const second = await pid();
  assert.notEqual(second, first);
  await database.query({ name: '', text: "SET idle_session_timeout = '100ms'" }, []);
  // The process sleeps, so it has not read that the server closes the connection.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
  assert.notEqual(await pid(), second);
  assert.deepEqual(said, []);
});

test('a server that takes connections and says nothing is away within bounds', async (t) => {
  const sockets = new Set<{ destroy(): void }>();
  const mute = createServer((socket) => sockets.add(socket));
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    mute.close();
  });
  const { port } = mute.address() as { port: number };
  const url = `postgres://a:b@127.0.0.1:${port}/c`;
  const database = createDatabase({
    url,
    schema: 's',
    instance: 'a',
    connections: 2,
    log: silentLog,
  });
  t.after(() => database.close());
  assert.equal(
    await within('it gives up', database.unreachable(), 3_000),
    'PostgreSQL cannot be reached.',
  );
});

test('a statement that found no connection was surely never sent', async (t) => {
  const url = 'postgres://a:b@127.0.0.1:1/c';
  const away = createDatabase({ url, schema: 's', instance: 'a', connections: 1, log: silentLog });
  t.after(() => away.close());
  await assert.rejects(away.query({ name: 'x', text: 'SELECT 1' }, []), wasNeverSent);
  const { connect } = await postgres.schema(t, empty);
  const busy = connect('b', { connections: 1 });
  const holding = busy.query({ name: 'hold', text: 'SELECT pg_sleep(1.5)' }, []);
  await assert.rejects(busy.query({ name: 'x', text: 'SELECT 1' }, []), wasNeverSent);
  await holding;
});

test('a full disk is named until the server can write again, with one warning', async (t) => {
  const { connect, sql } = await postgres.schema(t, empty);
  const said: string[] = [];
  const warn = (_: object, line: string) => void said.push(line);
  const database = connect('a', { log: { ...silentLog, warn } as Log });
  await sql(`
    CREATE TABLE things (id int);
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON things EXECUTE FUNCTION full_disk()`);
  const insert = () => database.query({ name: '', text: 'INSERT INTO things VALUES (1)' }, []);
  const full = 'The disk of PostgreSQL is full.';
  for (let i = 0; i < 20; i += 1) await assert.rejects(insert(), { code: '53100' });
  assert.equal(await database.unreachable(), full);
  assert.deepEqual(await database.query({ name: '', text: 'SELECT id FROM things' }, []), []);
  assert.equal(await database.unreachable(), full, 'a read proves nothing');
  assert.equal(database.trouble, 'disk_full');
  await sql('DROP TRIGGER full_disk ON things');
  await insert();
  await until('it heals', async () => (await database.unreachable()) === undefined, 15_000);
  assert.deepEqual(said, ['disk of the database is full']);
});

test('a pool whose connections are all busy does not make the server look away', async (t) => {
  const { connect } = await postgres.schema(t, empty);
  const said: string[] = [];
  const warn = (_: object, line: string) => void said.push(line);
  const database = connect('b', { connections: 1, log: { ...silentLog, warn } as Log });
  const slow = database.query({ name: '', text: 'SELECT pg_sleep(2)' }, []);
  await assert.rejects(database.query({ name: '', text: 'SELECT 1' }, []), wasNeverSent);
  assert.equal(await within('an answer', database.unreachable(), 1_000), undefined);
  await slow;
  assert.deepEqual(said, []);
});
