import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeDirectory } from '../../src/process/make-directory.ts';
import { within } from '../kit/until.ts';

test('a directory and those above it are made, for their owner only, by several at once', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'make-directory-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'a', 'b', 'c');
  await Promise.all([1, 2, 3].map(() => makeDirectory(path, 'DATA_DIR')));
  assert.equal((await stat(path)).mode & 0o777, 0o700);
});

test('a place where no directory can be made is refused with the variable and the path', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'make-directory-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = join(folder, 'file');
  await writeFile(file, '');
  for (const path of ['/proc/x', '/proc/x/y', file, join(file, 'below')]) {
    const made = within('an answer', makeDirectory(path, 'DATA_DIR'));
    await assert.rejects(made, new RegExp(`DATA_DIR ${path} cannot be used`));
  }
});
