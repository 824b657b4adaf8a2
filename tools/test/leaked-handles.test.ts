import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { holdsWithin } from '@orders/embedded/processes/bounded-wait';
import { sendSignal, startOfProcess } from '@orders/embedded/processes/process-table';

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
      ['--require', program, '--test', 'a.test.mjs'],
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

const server = join(import.meta.dirname, '../../embedded/src/postgres/server.ts');

test('Ctrl-C leaves neither a PostgreSQL nor a file of the run behind', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'interrupted-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await writeFile(
    join(folder, 'a.test.mjs'),
    `import { mkdtempSync, writeFileSync } from 'node:fs';
     import { tmpdir } from 'node:os';
     import { test } from 'node:test';
     import { startEmbeddedPostgres } from ${JSON.stringify(server)};
     test('waits', async () => {
       const dataDir = mkdtempSync(tmpdir() + '/data-');
       const log = { info() {}, warn() {} };
       const { pid } = await startEmbeddedPostgres({ dataDir, databases: ['orders'], log });
       writeFileSync(${JSON.stringify(join(folder, 'up'))}, JSON.stringify({ pid, dataDir }));
       await new Promise(() => undefined);
     });`,
  );
  const { NODE_TEST_CONTEXT: _ofThisRun, ...env } = process.env;
  const args = ['--require', program, '--test', 'a.test.mjs'];
  const run = spawn(process.execPath, args, { cwd: folder, env, detached: true, stdio: 'ignore' });
  const read = async () => {
    const text = await readFile(join(folder, 'up'), 'utf8').catch(() => '{}');
    return JSON.parse(text) as { pid?: number; dataDir?: string };
  };
  await until('PostgreSQL to run', async () => (await read()).dataDir !== undefined);
  const { pid = 0, dataDir = '' } = await read();
  assert.ok(startOfProcess(pid) !== undefined && existsSync(dataDir));
  sendSignal(-(run.pid ?? 0), 'SIGINT');
  await until('PostgreSQL to be gone', async () => startOfProcess(pid) === undefined);
  await until('its directory to be gone', async () => !existsSync(join(dataDir, '..')));
});

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  assert.ok(await holdsWithin(30_000, condition), what);
}
