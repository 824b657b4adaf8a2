import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOptions, repeatCommand, roundsOf } from '../../src/chaos/chaos-options.ts';

test('Faults are dealt out in rounds of 25, each with a seed of its own that repeats it alone', () => {
  const { mode, ...options } = readOptions(['--faults', '60', '--seed', '7']);
  const rounds = roundsOf(options, []);
  assert.deepEqual(rounds, [
    { seed: 7, count: 25 },
    { seed: 8, count: 25 },
    { seed: 9, count: 10 },
  ]);
  const again = repeatCommand(mode, 9, 10).split(' -- ')[1]?.split(' ') ?? [];
  assert.deepEqual(roundsOf(readOptions(again), []), [{ seed: 9, count: 10 }]);
});

test('A run that is continued adds what is missing, with the seeds after the last', () => {
  const known = [
    { seed: 40, faults: Array.from({ length: 25 }) },
    { seed: 41, faults: Array.from({ length: 25 }) },
  ];
  const options = readOptions(['--faults', '60', '--continue']);
  assert.deepEqual(roundsOf(options, known), [{ seed: 42, count: 10 }]);
  assert.deepEqual(roundsOf({ ...options, faults: 50 }, known), []);
});

test('A wrong option is refused with its name', () => {
  assert.throws(() => readOptions(['--mode', 'docker']), /--mode.*docker/);
  assert.throws(() => readOptions(['--faults', '0']), /--faults/);
  assert.throws(() => readOptions(['--seed', '1.5']), /--seed/);
  assert.throws(() => readOptions(['--tempo']), /--tempo/);
});
