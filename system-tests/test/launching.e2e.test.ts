import assert from 'node:assert/strict';
import { cp, mkdir, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { isFree } from '@orders/embedded/processes/server-port';
import { anOrder, place, untilOrder } from '@orders/lab/kit/orders';
import { systemFor } from '@orders/lab/kit/started-system';
import { until } from '@orders/lab/kit/until';
import { launch, temporaryFolder } from './launched.ts';

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
