import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { reportMissing } from '@orders/platform/test/kit/test-kafka';
import { startKafka } from '../../src/kafka/server.ts';
import { holdsWithin } from '../../src/processes/bounded-wait.ts';
import { choosePort } from '../../src/processes/server-port.ts';

const main = join(import.meta.dirname, '../../src/start-broker.ts');
const quiet = { info: () => undefined, warn: () => undefined };
const options = { timeout: 180_000, ...(await skipWithoutKafka()) };

/** Whether it can run here is what its own start says; the first one on a machine fetches it. */
async function skipWithoutKafka(): Promise<{ skip?: string }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'orders-kafka-'));
  try {
    await (await startKafka({ dataDir, port: 0, log: quiet })).close();
    return {};
  } catch (error) {
    reportMissing(error);
    return { skip: 'there is no Kafka broker' };
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

async function directoryFor(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'orders-kafka-'));
  t.after(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }));
  return directory;
}

/** `npm run kafka` without npm. */
function run(t: TestContext, env: NodeJS.ProcessEnv) {
  const child: ChildProcess = spawn(process.execPath, [main], {
    env: { ...process.env, ...env },
    stdio: 'pipe',
  });
  t.after(() => child.kill('SIGKILL'));
  const said = { text: '' };
  child.stdout?.on('data', (data) => (said.text += data));
  child.stderr?.on('data', (data) => (said.text += data));
  return { child, said, ended: once(child, 'exit') as Promise<[number | null, string | null]> };
}

async function startedPid(dataDir: string, said: { text: string }): Promise<number> {
  const isReady = await holdsWithin(60_000, () => said.text.includes('Kafka is ready'));
  assert.ok(isReady, said.text);
  return (JSON.parse(await readFile(join(dataDir, 'kafka.json'), 'utf8')) as { pid: number }).pid;
}

function isGroupGone(pid: number): boolean {
  try {
    process.kill(-pid, 0);
    return false;
  } catch {
    return true;
  }
}

test('npm run kafka ends with SIGTERM, exit code 0 and no process left', options, async (t) => {
  const dataDir = await directoryFor(t);
  const { child, said, ended } = run(t, { DATA_DIR: dataDir, KAFKA_PORT: '0' });
  const pid = await startedPid(dataDir, said);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null]);
  assert.ok(isGroupGone(pid));
});

test(
  'a broker whose starter is killed ends by itself, and the next start keeps its data',
  options,
  async (t) => {
    const dataDir = await directoryFor(t);
    const { child, said } = run(t, { DATA_DIR: dataDir, KAFKA_PORT: '0' });
    const pid = await startedPid(dataDir, said);
    const cluster = await readFile(join(dataDir, 'kafka', 'meta.properties'), 'utf8');
    child.kill('SIGKILL');
    assert.ok(await holdsWithin(20_000, () => isGroupGone(pid)));
    const next = await startKafka({ dataDir, port: 0, log: quiet });
    await next.close();
    const id = (text: string): string | undefined => /cluster\.id=(.*)/.exec(text)?.[1];
    assert.equal(
      id(await readFile(join(dataDir, 'kafka', 'meta.properties'), 'utf8')),
      id(cluster),
    );
  },
);

test('a broker that dies ends npm run kafka with exit code 1', options, async (t) => {
  const dataDir = await directoryFor(t);
  const { said, ended } = run(t, { DATA_DIR: dataDir, KAFKA_PORT: '0' });
  process.kill(-(await startedPid(dataDir, said)), 'SIGKILL');
  assert.deepEqual(await ended, [1, null]);
  assert.match(said.text, /Kafka died/);
});

test('a port in use is named with its variable', options, async (t) => {
  const port = await choosePort(undefined);
  const taken = createServer().listen(port, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { said, ended } = run(t, { DATA_DIR: await directoryFor(t), KAFKA_PORT: String(port) });
  assert.deepEqual(await ended, [1, null]);
  assert.match(said.text, new RegExp(`Port ${port} .*KAFKA_PORT`));
});

test('without Java, or with an old one, what to install is said', async (t) => {
  const home = await directoryFor(t);
  const none = run(t, { DATA_DIR: home, JAVA_HOME: home });
  assert.deepEqual(await none.ended, [1, null]);
  assert.match(none.said.text, /needs Java 17 .*openjdk.*KAFKA_BOOTSTRAP_SERVERS/);

  await mkdir(join(home, 'bin'));
  await writeFile(join(home, 'bin/java'), '#!/bin/sh\necho \'openjdk version "11.0.2"\' >&2\n');
  await chmod(join(home, 'bin/java'), 0o755);
  const old = run(t, { DATA_DIR: home, JAVA_HOME: home });
  assert.deepEqual(await old.ended, [1, null]);
  assert.match(old.said.text, /needs Java 17 .*is version "11\.0\.2"/);
});

test('without Maven, where Kafka is not cached yet, what to install is said', async (t) => {
  const home = await directoryFor(t);
  await mkdir(join(home, 'bin'));
  await writeFile(join(home, 'bin/java'), '#!/bin/sh\necho \'openjdk version "17.0.2"\' >&2\n');
  await chmod(join(home, 'bin/java'), 0o755);
  const env = {
    DATA_DIR: home,
    JAVA_HOME: home,
    XDG_CACHE_HOME: join(home, 'cache'),
    PATH: join(home, 'bin'),
  };
  const { said, ended } = run(t, env);
  assert.deepEqual(await ended, [1, null]);
  assert.match(said.text, /needs Maven .*apt-get install maven.*KAFKA_BOOTSTRAP_SERVERS/);
});
