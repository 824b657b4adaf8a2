import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';

const run = (command: string, ...args: string[]) =>
  spawnSync(process.execPath, [join(import.meta.dirname, '../src', `${command}.ts`), ...args], {
    encoding: 'utf8',
    timeout: 30_000,
  });

for (const command of ['check', 'config', 'docs', 'keys']) {
  test(`npm run ${command} has --help, and refuses a wrong flag with one sentence`, () => {
    const help = run(command, '--help');
    assert.deepEqual([help.status, help.stderr], [0, '']);
    assert.match(help.stdout, new RegExp(`^Usage: npm run ${command}\\b`));
    const wrong = run(command, '--nonsense');
    assert.deepEqual([wrong.status, wrong.stdout], [2, '']);
    assert.match(wrong.stderr, /^[^\n]*'--nonsense'[^\n]*\n$/);
  });
}
