import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { isFree } from '@orders/embedded/processes/server-port';
import { freePorts } from '@orders/lab/kit/free-ports';
import { call } from '@orders/lab/kit/http';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { systemFor } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';

const repository = join(import.meta.dirname, '../..');

test('It starts from a folder whose name has blanks and letters beyond ASCII', async (t) => {
  const folder = join(await temporaryFolder(t), 'My Projekte ü #1 100%');
  await copyRepository(folder);
  const system = await launch(t, folder, [process.execPath, 'embedded/src/main.ts']);
  await system.untilReady();
  await untilOrder(system.url, await place(system.url, anOrder()), 'Shipped');
  system.child.kill('SIGTERM');
  await until('the port to be free', 12, () => isFree(system.port));
});

test('SIGTERM to npm ends what npm start runs', async (t) => {
  const system = await launch(t, repository, ['npm', 'start']);
  await system.untilReady();
  system.child.kill('SIGTERM');
  await until('the port to be free', 12, () => isFree(system.port));
  await until(
    'npm to be gone',
    5,
    () => system.child.exitCode !== null || system.child.signalCode !== null,
  );
});

test('When npm is killed, what npm start runs ends by itself', async (t) => {
  const system = await launch(t, repository, ['npm', 'start']);
  await system.untilReady();
  system.child.kill('SIGKILL');
  await until('the port to be free', 12, () => isFree(system.port));
});

test('A place for the data where no directory can be made ends the start at once, with DATA_DIR named', async (t) => {
  const system = await systemFor(t, { DATA_DIR: '/proc/x' });
  system.launch();
  const { code } = await system.program.untilExit(10);
  assert.equal(code, 1, system.program.tail());
  assert.match(system.program.lines.join('\n'), /^DATA_DIR \/proc\/x cannot be used/m);
});

async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orders-launch-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** The source as it is; packages of others by links, ours by links into the copy. */
async function copyRepository(folder: string): Promise<void> {
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  for (const name of ['package.json', 'packages', 'services', 'embedded', 'deploy']) {
    const filter = (path: string) => !/node_modules|\.data/.test(path.slice(repository.length));
    await cp(join(repository, name), join(folder, name), { recursive: true, filter });
  }
  for (const name of await readdir(join(repository, 'node_modules'))) {
    const from = join(repository, 'node_modules', name);
    await (name === '@orders'
      ? cp(from, join(folder, 'node_modules', name), { recursive: true, verbatimSymlinks: true })
      : symlink(from, join(folder, 'node_modules', name)));
  }
}

type Launched = { child: ChildProcess; url: string; port: number; untilReady(): Promise<void> };

async function launch(t: TestContext, cwd: string, command: string[]): Promise<Launched> {
  const [port = 0, ...others] = await freePorts(3);
  const { PATH = '', HOME = '' } = process.env;
  const env = {
    PATH,
    HOME,
    ORDER_SERVICE_PORT: String(port),
    FULFILLMENT_SERVICE_PORT: String(others[0]),
    SHIPPING_PROVIDER_PORT: String(others[1]),
    DATA_DIR: join(await temporaryFolder(t), 'data'),
  };
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-10_000);
    });
  t.after(() => sendSignal(-(child.pid ?? 0), 'SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const untilReady = async () => {
    await until('the system to be ready', 60, async () => {
      if (child.exitCode !== null) return true;
      return (await call('GET', `${url}/health/ready`, { timeoutMs: 2_000 })).status === 200;
    });
    assert.equal(child.exitCode, null, output);
  };
  return { child, url, port, untilReady };
}
