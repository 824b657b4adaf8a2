import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';

const program = join(import.meta.dirname, '../src/leaked-handles.ts');

/**
 * Runs one test file as `npm test` does, with a short grace; the exit code and what was printed.
 */
async function runTestFile(
  t: TestContext,
  text: string,
): Promise<{ exitCode: unknown; output: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'leak-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(join(folder, 'a.test.mjs'), text);
  const { NODE_TEST_CONTEXT: _ofThisRun, ...env } = process.env;
  const options = { cwd: folder, timeout: 60_000, env: { ...env, TEST_LEAK_GRACE_MS: '300' } };
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      ['--import', program, '--test', 'a.test.mjs'],
      options,
      (error, stdout) => {
        resolve({ exitCode: error === null ? 0 : error.code, output: stdout });
      },
    );
  });
}

test('a test file that leaves a server open fails and says so, instead of running for ever', async (t) => {
  const leaking = "import { createServer } from 'node:http';\nimport { test } from 'node:test';\n";
  const { exitCode, output } = await runTestFile(
    t,
    `${leaking}test('leaks', () => void createServer().listen(0));\n`,
  );
  assert.equal(exitCode, 1);
  assert.match(output, /something was left open: .*TCPServerWrap/);
});

test('a test file that outlives the grace while a test is running passes', async (t) => {
  const slow =
    "import { test } from 'node:test';\nimport { setTimeout } from 'node:timers/promises';\n";
  const { exitCode, output } = await runTestFile(
    t,
    `${slow}test('a', async (t) => { await t.test('b', () => {}); await setTimeout(700); });\n`,
  );
  assert.equal(exitCode, 0, output);
});
