import assert from 'node:assert/strict';
import { chmod, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { query, temporaryPlace } from './server-under-test.ts';

test('a new data directory becomes a durable UTF-8 server on 127.0.0.1 alone', async (t) => {
  const { dataDir, start } = await temporaryPlace(t);
  const server = await start();
  const [settings] = await query(
    server.url('orders'),
    `SELECT current_setting('fsync') AS fsync, current_setting('full_page_writes') AS fpw,
            current_setting('listen_addresses') AS listen,
            current_setting('server_encoding') AS encoding,
            (SELECT datlocale FROM pg_database WHERE datname = current_database()) AS locale,
            current_user AS role`,
  );
  assert.deepEqual(settings, {
    fsync: 'on',
    fpw: 'on',
    listen: '127.0.0.1',
    encoding: 'UTF8',
    locale: 'C.UTF-8',
    role: 'orders',
  });
  const info = JSON.parse(await readFile(join(dataDir, 'postgres.json'), 'utf8'));
  assert.deepEqual([info.pid, info.urls.orders], [server.pid, server.url('orders')]);
});

test('data of another major version are refused with both versions and the way out, and nothing is touched', async (t) => {
  const { dataDir, start } = await temporaryPlace(t);
  const server = await start();
  const version = (await readFile(join(dataDir, 'postgres', 'PG_VERSION'), 'utf8')).trim();
  await server.close();
  await writeFile(join(dataDir, 'postgres', 'PG_VERSION'), '17\n');
  const before = await lookAt(dataDir);
  await assert.rejects(
    start(),
    (error: Error) =>
      error.message.includes('PostgreSQL 17,') &&
      error.message.includes(`PostgreSQL ${version},`) &&
      /docs\/operating.md .*DATA_DIR .*Nothing was changed/.test(error.message),
  );
  assert.deepEqual(await lookAt(dataDir), before);
});

/** Each file below the directory, with its size and the time of its last change. */
async function lookAt(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  const seen = names.map(async (name) => {
    const { size, mtimeMs } = await stat(join(directory, name));
    return `${name} ${size} ${mtimeMs}`;
  });
  return (await Promise.all(seen)).sort();
}

test('a restart keeps the rows, the port and the passwords', async (t) => {
  const { start } = await temporaryPlace(t);
  const first = await start();
  const url = first.url('orders');
  await query(url, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.close();
  await first.close();
  assert.equal(first.pid, undefined);
  await assert.rejects(query(url, 'SELECT 1'), /ECONNREFUSED/);
  const second = await start();
  assert.equal(second.url('orders'), url);
  assert.deepEqual(await query(url, 'SELECT answer FROM kept'), [{ answer: 42 }]);
});

test('a role owns its database and cannot connect to another one', async (t) => {
  const server = await (await temporaryPlace(t)).start({ databases: ['orders', 'fulfillment'] });
  await query(server.url('fulfillment'), 'CREATE SCHEMA mine CREATE TABLE things (id int)');
  const trespass = server.url('orders').replace(/orders$/, 'fulfillment');
  await assert.rejects(query(trespass, 'SELECT 1'), /permission denied for database "fulfillment"/);
  const impostor = server.url('orders').replace('//orders:', '//fulfillment:');
  await assert.rejects(query(impostor, 'SELECT 1'), /password authentication failed/);
  assert.throws(() => server.url('template1'), /no embedded database "template1"/);
});

test('a database named later is added, and settings given at the start win', async (t) => {
  const { start } = await temporaryPlace(t);
  await (await start()).close();
  const server = await start({
    databases: ['orders', 'audit'],
    settings: { max_connections: '20' },
  });
  assert.deepEqual(await query(server.url('audit'), 'SHOW max_connections'), [
    { max_connections: '20' },
  ]);
  await assert.rejects(start({ databases: ['Robert"; DROP'] }), /cannot be the name/);
});

test('the data may lie below a directory that only its owner may enter', async (t) => {
  const { dataDir, start } = await temporaryPlace(t);
  await chmod(dirname(dataDir), 0o700);
  const server = await start();
  assert.deepEqual(await query(server.url('orders'), 'SELECT 1 AS one'), [{ one: 1 }]);
});

test('a server that cannot start says why, with its own last words, and the next start works', async (t) => {
  const { start } = await temporaryPlace(t);
  await assert.rejects(
    start({ settings: { shared_buffers: 'plenty' } }),
    /exit code 1.*shared_buffers.*plenty/s,
  );
  await start();
});

test('a start can be aborted, and the next one begins where nothing is left', async (t) => {
  const { dataDir, start } = await temporaryPlace(t);
  const abort = new AbortController();
  const starting = start({ signal: abort.signal });
  setImmediate(() => abort.abort());
  await assert.rejects(starting, { name: 'AbortError' });
  await start();
  assert.deepEqual(
    (await readdir(dataDir)).filter((name) => name.startsWith('postgres.new-')),
    [],
  );
});

test('a missing password file is named instead of a new password being made', async (t) => {
  const { dataDir, start } = await temporaryPlace(t);
  await (await start()).close();
  await rm(join(dataDir, 'postgres-password'));
  await assert.rejects(start(), /postgres-password.*is missing/);
});
