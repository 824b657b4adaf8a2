import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRepository } from '../../src/check/repository.ts';

test('new files count before git knows them, ignored and deleted ones do not', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'repository-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  for (const path of ['.gitignore', 'known.ts', 'deleted.ts'])
    await writeFile(join(root, path), 'ignored.ts\n');
  execFileSync('git', ['init', '--quiet'], { cwd: root });
  execFileSync('git', ['add', '.'], { cwd: root });
  await rm(join(root, 'deleted.ts'));
  for (const path of ['new.ts', 'ignored.ts']) await writeFile(join(root, path), '');

  const { files, read } = await openRepository(root);
  assert.deepEqual(files, ['.gitignore', 'known.ts', 'new.ts']);
  assert.equal(await read('known.ts'), 'ignored.ts\n');
});
