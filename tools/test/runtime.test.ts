import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const program = join(import.meta.dirname, '../runtime.cjs');

test('a Node that is too old is refused in one sentence with the way out', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'old-node-'));
  t.after(() => rmSync(folder, { recursive: true }));
  // What an older Node lacks.
  const older = join(folder, 'older.cjs');
  writeFileSync(older, "delete require('node:crypto').randomUUIDv7;");
  const { status, stderr } = spawnSync(process.execPath, ['--require', older, program], {
    encoding: 'utf8',
  });
  assert.equal(status, 1);
  assert.match(
    stderr,
    /^This is Node [\d.]+, and .*npm ci.* --ignore-scripts, or "npm rebuild"\.\n$/,
  );
});

test('the Node of npm ci is taken without a word', () => {
  const { status, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  assert.deepEqual([status, stderr], [0, '']);
});
