import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { DataDirectoryInUse, lockDataDirectory } from '../../src/processes/data-directory.ts';
import { startOfProcess } from '../../src/processes/process-table.ts';

async function temporaryDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'orders-lock-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

async function pidOfDeadProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}

test('a locked directory refuses the next one, naming directory, pid and the way out', async (t) => {
  const directory = join(await temporaryDirectory(t), 'new', 'data');
  await lockDataDirectory(directory);
  await assert.rejects(lockDataDirectory(directory), (error) => {
    assert.ok(error instanceof DataDirectoryInUse);
    assert.equal(error.pid, process.pid);
    assert.ok(error.message.includes(directory) && error.message.includes('DATA_DIR'));
    return true;
  });
});

test('a released directory can be locked again and holds nothing but the lock', async (t) => {
  const directory = await temporaryDirectory(t);
  await (await lockDataDirectory(directory)).release();
  assert.deepEqual(await readdir(directory), []);
  await lockDataDirectory(directory);
  assert.deepEqual(await readdir(directory), ['owner.json']);
});

test('a lock whose process is dead, or whose pid went to another process, or that a crash emptied, is taken over', async (t) => {
  const leftovers = [
    JSON.stringify({ pid: await pidOfDeadProcess(), processStart: '1' }),
    JSON.stringify({
      pid: process.ppid,
      processStart: `not ${startOfProcess(process.ppid)}`,
    }),
    '',
    '\0\0\0',
    'null',
  ];
  for (const leftover of leftovers) {
    const directory = await temporaryDirectory(t);
    await writeFile(join(directory, 'owner.json'), leftover);
    await lockDataDirectory(directory);
    assert.equal(
      JSON.parse(await readFile(join(directory, 'owner.json'), 'utf8')).pid,
      process.pid,
      leftover,
    );
  }
});

test('of many starts at the same moment exactly one gets the directory, also where a dead one left its lock', async (t) => {
  const parent = await temporaryDirectory(t);
  const dead = JSON.stringify({ pid: await pidOfDeadProcess(), processStart: '1' });
  for (let round = 0; round < 60; round += 1) {
    const directory = join(parent, String(round));
    await mkdir(directory);
    if (round % 3 > 0) await writeFile(join(directory, 'owner.json'), dead);
    if (round % 3 > 1) await writeFile(join(directory, 'owner.json.takeover'), dead);
    const lockAfter = async (turns: number) => {
      for (let turn = 0; turn < turns; turn += 1) await setImmediate();
      return lockDataDirectory(directory);
    };
    const outcomes = await Promise.allSettled(
      Array.from({ length: 12 }, (_, index) => lockAfter(index * (round % 7))),
    );
    const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
    assert.equal(refusals.length, 11, `round ${round}`);
    for (const { reason } of refusals)
      assert.ok(reason instanceof DataDirectoryInUse, String(reason));
    assert.deepEqual(await readdir(directory), ['owner.json']);
  }
});
