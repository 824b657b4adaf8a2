import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { loadEnvFile } from '../../src/process/config.ts';

/** Loads a file with these bytes; the environment and the folder are as before afterwards. */
function load(t: TestContext, bytes: Buffer): Set<string> {
  const folder = mkdtempSync(join(tmpdir(), 'env-file-'));
  const before = { ...process.env };
  const cwd = process.cwd();
  t.after(() => {
    process.chdir(cwd);
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    rmSync(folder, { recursive: true });
  });
  writeFileSync(join(folder, '.env'), bytes);
  process.chdir(folder);
  return loadEnvFile();
}

test('the byte order mark of .env is no part of its first name', (t) => {
  const names = load(t, Buffer.from('\ufeffFIRST_OF_FILE=1\r\nSECOND_OF_FILE="a # b"\r\n'));
  assert.deepEqual([...names], ['FIRST_OF_FILE', 'SECOND_OF_FILE']);
  assert.equal(process.env.FIRST_OF_FILE, '1');
  assert.equal(process.env.SECOND_OF_FILE, 'a # b');
});

test('a variable that is set wins over .env', (t) => {
  process.env.SET_BEFORE = 'yes';
  t.after(() => delete process.env.SET_BEFORE);
  assert.deepEqual([...load(t, Buffer.from('SET_BEFORE=no\n'))], []);
  assert.equal(process.env.SET_BEFORE, 'yes');
});

for (const [name, bytes] of [
  ['in UTF-16 with its mark', Buffer.from('\ufeffA=1\r\n', 'utf16le')],
  ['in UTF-16 without a mark', Buffer.from('A=1\r\n', 'utf16le')],
  ['in Latin 1', Buffer.from('A=\u00fc\n', 'latin1')],
] as const) {
  test(`.env ${name} is refused in one sentence`, (t) => {
    assert.throws(() => load(t, bytes), /\.env is not text in UTF-8; save it again as UTF-8/);
  });
}

test('a value without quotes that a # would cut is refused, and its text is not told', (t) => {
  const text = 'A_URL=postgres://u:12#s3cret@db/x\nB=plain # a comment\n#C=d#e\n';
  assert.throws(
    () => load(t, Buffer.from(text)),
    (error: Error) =>
      /A_URL in \.env has a # in it/.test(error.message) &&
      !/s3cret|\bB\b|C/.test(error.message.replace(/configuration/i, '')),
  );
});

test('special characters of a password in quotes are taken as they are', (t) => {
  load(t, Buffer.from("OF_QUOTES='a$b#c@d/e%f' # a comment\n"));
  assert.equal(process.env.OF_QUOTES, 'a$b#c@d/e%f');
});
