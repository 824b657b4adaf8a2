import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  CommandLineError,
  positiveNumber,
  readArguments,
  wholeNumber,
} from '@orders/platform/process/command-line';

const module = join(import.meta.dirname, '../../src/process/command-line.ts');
const options = { count: { type: 'string' }, quick: { type: 'boolean' } } as const;

/** A command that prints its options, or fails where it reads --count. */
const program = `
  import { runCommand, wholeNumber } from ${JSON.stringify(module)};
  await runCommand({ usage: 'Usage: this\\n', options: ${JSON.stringify(options)} }, async ({ values }) => {
    if (values.count === 'throw') throw new Error('a bug');
    return wholeNumber('count', values.count ?? '7', 0);
  });
`;
const call = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', program, '--', 'program', ...args],
    { encoding: 'utf8', timeout: 30_000 },
  );
  return { status, stdout, stderr };
};

test('a command ends with the code that it resolves to', () => {
  assert.deepEqual(call('--count', '3'), { status: 3, stdout: '', stderr: '' });
});

test('--help and -h write the usage, run nothing and end with 0', () => {
  const help = { status: 0, stdout: 'Usage: this\n', stderr: '' };
  assert.deepEqual(call('--help'), help);
  assert.deepEqual(call('--count', 'throw', '-h'), help);
});

test('a wrong word ends with one sentence and exit code 2', () => {
  const { status, stdout, stderr } = call('--tempo');
  assert.deepEqual([status, stdout], [2, '']);
  assert.equal(stderr, "Unknown option '--tempo'. --help shows the options.\n");
  const wrongValue = call('--count', '1.5');
  assert.equal(wrongValue.status, 2);
  assert.match(wrongValue.stderr, /^--count 1\.5 is not a whole number from 0\. .*\n$/);
});

test('an error that is not about the command line keeps its stack', () => {
  const { status, stderr } = call('--count', 'throw');
  assert.equal(status, 1);
  assert.match(stderr, /Error: a bug\n +at /);
});

test('each mistake of the arguments is one sentence that names the word', () => {
  for (const [args, sentence] of [
    [['--count'], /^Option '--count <value>' argument missing\.$/],
    [['--count', '--quick'], /^Option '--count' argument is ambiguous\.$/],
    [['--quick=yes'], /^Option '--quick' does not take an argument\.$/],
    [['file'], /^Unexpected argument 'file'\.$/],
  ] as const) {
    assert.throws(
      () => readArguments([...args], options),
      (error) => error instanceof CommandLineError && sentence.test(error.message),
      `${args}`,
    );
  }
});

test('numbers are refused by the name of their option', () => {
  assert.equal(positiveNumber('rate', '0.5'), 0.5);
  assert.equal(wholeNumber('faults', '25', 1), 25);
  for (const text of ['0', '-1', 'x', 'Infinity', 'NaN'])
    assert.throws(() => positiveNumber('rate', text), /^CommandLineError: --rate \S+ is not/);
  for (const text of ['0', '1.5', '', '1e3', '2147483648'])
    assert.throws(() => wholeNumber('faults', text, 1), /--faults \S* is not a whole number/);
});
