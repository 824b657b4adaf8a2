import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLineWriter } from '../../src/process/standard-output.ts';
import { within } from '../kit/until.ts';

const source = join(import.meta.dirname, '../../src/process');
/** Writes more than any pipe holds, then says on standard error how many lines were dropped. */
const program = `
  const { createLog } = await import(${JSON.stringify(`${source}/log.ts`)});
  const { standardOutput } = await import(${JSON.stringify(`${source}/standard-output.ts`)});
  const log = createLog({ service: 'test' });
  for (let count = 0; count < 5_000; count += 1) log.info({ text: 'x'.repeat(1_000) });
  process.stderr.write(String(standardOutput().dropped()));
`;

/** How many lines are dropped where `stdout` is the standard output. It must end by itself. */
async function droppedAt(stdout: number | 'pipe'): Promise<number> {
  const args = ['--input-type=module', '-e', program];
  const child = spawn(process.execPath, args, { stdio: ['ignore', stdout, 'pipe'] });
  return await resultOf(child);
}

async function resultOf(child: ChildProcess): Promise<number> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const [code] = await within('the end of the process', once(child, 'exit'), 20_000);
  assert.equal(code, 0, said);
  return Number(said);
}

test('on a full disk every line is dropped and counted', async () => {
  const full = openSync('/dev/full', 'w');
  assert.equal(await droppedAt(full), 5_000);
  closeSync(full);
});

test('a socket whose reader stands still costs lines beyond a bound, and no time', async () => {
  const dropped = await droppedAt('pipe');
  assert.ok(dropped > 3_000 && dropped < 4_500, `${dropped} lines`);
});

test('a pipe whose reader stands still costs lines beyond a bound, and no time', async () => {
  const command = `"$@" | exec sleep 1`;
  const args = ['-c', command, 'sh', process.execPath, '--input-type=module', '-e', program];
  const dropped = await resultOf(spawn('/bin/sh', args, { stdio: ['ignore', 'ignore', 'pipe'] }));
  assert.ok(dropped > 3_000 && dropped < 4_500, `${dropped} lines`);
});

test('a pipe without a reader takes no line', async () => {
  const command = `{ sleep 0.1; "$@"; } | true`;
  const args = ['-c', command, 'sh', process.execPath, '--input-type=module', '-e', program];
  const child = spawn('/bin/sh', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  assert.equal(await resultOf(child), 5_000);
});

test('a file gets every line in order', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'standard-output-'));
  t.after(() => rm(folder, { recursive: true }));
  const path = join(folder, 'log');
  const fd = openSync(path, 'w');
  const output = createLineWriter(fd);
  const lines = Array.from({ length: 100 }, (_, index) => `line ${index}\n`);
  for (const line of lines) output.write(line);
  output.flush();
  closeSync(fd);
  assert.equal(await readFile(path, 'utf8'), lines.join(''));
  assert.equal(output.dropped(), 0);
});
