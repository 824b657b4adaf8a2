import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmod, mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { holdsWithin } from '../../src/processes/bounded-wait.ts';
import { DataDirectoryInUse, lockDataDirectory } from '../../src/processes/data-directory.ts';
import { postgresProcessesIn } from '../../src/processes/process-table.ts';
import {
  killed,
  query,
  temporaryPlace,
  untilAnswers,
  untilOwnerReady,
} from './server-under-test.ts';

test('a server whose whole group is killed comes back on the same port with its rows', async (t) => {
  const server = await (await temporaryPlace(t)).start();
  const url = server.url('orders');
  await query(url, 'CREATE TABLE kept AS SELECT 1 AS n');
  for (let death = 1; death <= 2; death += 1) {
    const { pid } = server;
    assert.ok(pid);
    process.kill(-pid, 'SIGKILL');
    assert.ok(await holdsWithin(30_000, () => server.pid !== undefined && server.pid !== pid));
    assert.deepEqual(await query(url, 'SELECT n FROM kept'), [{ n: 1 }]);
    assert.deepEqual(server.lines.filter(({ level }) => level === 'warn').length, death);
    assert.deepEqual(
      server.lines.filter(({ message }) => message.endsWith('is back')).length,
      death,
    );
  }
});

test('a server killed alone comes back although a busy backend still holds its shared memory', async (t) => {
  const server = await (await temporaryPlace(t)).start();
  const url = server.url('orders');
  const spin = 'DO $$ BEGIN LOOP PERFORM 1; END LOOP; END $$';
  const busy = assert.rejects(query(url, spin));
  const spinning = () =>
    query(url, `SELECT 1 FROM pg_stat_activity WHERE query = '${spin.replaceAll("'", "''")}'`);
  assert.ok(await holdsWithin(5_000, async () => (await spinning()).length === 1));
  const { pid } = server;
  assert.ok(pid);
  process.kill(pid, 'SIGKILL');
  await busy;
  assert.ok(await holdsWithin(30_000, () => server.pid !== undefined && server.pid !== pid));
  await untilAnswers(url);
});

for (const [moment, processes] of [
  ['before the next server', 0],
  ['while the next server starts', 1],
] as const) {
  test(`close ${moment} ends the supervision and leaves no process`, async (t) => {
    const { dataDir, start } = await temporaryPlace(t);
    const server = await start();
    const running = () => postgresProcessesIn(join(dataDir, 'postgres'));
    assert.ok(server.pid);
    process.kill(-server.pid, 'SIGKILL');
    const reached = async () =>
      server.pid === undefined && Math.min((await running()).length, 1) === processes;
    assert.ok(await holdsWithin(5_000, reached, { everyMs: 1 }));
    await server.close();
    assert.deepEqual([await running(), server.pid], [[], undefined]);
  });
}

test('after kill -9 of its Node process the server is stopped and started again by the next one', async (t) => {
  const { dataDir, start, spawnOwner } = await temporaryPlace(t);
  const owner = spawnOwner();
  const { serverPid, url } = await untilOwnerReady(owner);
  await query(url, 'CREATE TABLE kept AS SELECT 1 AS n');
  await killed(owner);
  await query(url, 'SELECT 1');
  await (await lockDataDirectory(dataDir)).release();
  const server = await start();
  assert.notEqual(server.pid, serverPid);
  assert.deepEqual(
    server.lines.map(({ level, fields }) => [level, fields.pid]),
    [['warn', serverPid]],
  );
  assert.deepEqual(await query(server.url('orders'), 'SELECT n FROM kept'), [{ n: 1 }]);
});

test('after kill -9 of everything the next start recovers what was committed', async (t) => {
  const { start, spawnOwner } = await temporaryPlace(t);
  const owner = spawnOwner();
  const { serverPid, url } = await untilOwnerReady(owner);
  await query(url, 'CREATE TABLE kept AS SELECT n FROM generate_series(1, 10000) AS n');
  owner.kill('SIGKILL');
  process.kill(-serverPid, 'SIGKILL');
  await killed(owner);
  const server = await start();
  assert.deepEqual(await query(server.url('orders'), 'SELECT count(*)::int AS rows FROM kept'), [
    { rows: 10_000 },
  ]);
});

test('after kill -9 in the middle of making the cluster the next start makes it anew', async (t) => {
  const { dataDir, start, spawnOwner } = await temporaryPlace(t);
  const owner = spawnOwner();
  await mkdir(dataDir, { recursive: true });
  const half = async () =>
    (await readdir(dataDir)).filter((name) => name.startsWith('postgres.new-'));
  assert.ok(await holdsWithin(10_000, async () => (await half()).length > 0, { everyMs: 5 }));
  await killed(owner);
  const server = await start();
  assert.deepEqual(await query(server.url('orders'), 'SELECT 1 AS one'), [{ one: 1 }]);
  assert.deepEqual(await half(), []);
});

test('a second start is refused by the lock, naming the process that has the directory', async (t) => {
  const { dataDir, spawnOwner } = await temporaryPlace(t);
  const owner = spawnOwner();
  await untilOwnerReady(owner);
  await assert.rejects(
    lockDataDirectory(dataDir),
    (error) => error instanceof DataDirectoryInUse && error.pid === owner.pid,
  );
});

test('a pid file whose pid now belongs to another program does not keep the server from starting', async (t) => {
  const { dataDir, start } = await temporaryPlace(t);
  await (await start()).close();
  await writeFile(
    join(dataDir, 'postgres', 'postmaster.pid'),
    `1\n${join(dataDir, 'postgres')}\n1700000000\n20000\n`,
  );
  await start();
});

const asRoot = process.getuid?.() === 0 && spawnSync('id', ['-u', 'postgres']).status === 0;
test('as root without user namespaces the user postgres runs it, and later a namespace again', {
  skip: !asRoot,
}, async (t) => {
  const { dataDir, start, spawnOwner } = await temporaryPlace(t);
  const bin = join(dirname(dataDir), 'bin');
  await mkdir(bin);
  for (const name of ['id', 'chown']) await symlink(`/usr/bin/${name}`, join(bin, name));
  // mkdtemp's directory is for its owner alone, and the user postgres has to pass it.
  await chmod(dirname(dataDir), 0o755);
  const owner = spawnOwner({ PATH: bin });
  const { serverPid, url } = await untilOwnerReady(owner);
  assert.equal((await stat(join(dataDir, 'postgres'))).uid, (await stat(`/proc/${serverPid}`)).uid);
  assert.notEqual((await stat(`/proc/${serverPid}`)).uid, 0);
  await query(url, 'CREATE TABLE kept AS SELECT 1 AS n');
  await killed(owner);
  const server = await start();
  assert.equal((await stat(`/proc/${server.pid}`)).uid, 0);
  assert.deepEqual(await query(server.url('orders'), 'SELECT n FROM kept'), [{ n: 1 }]);
});
