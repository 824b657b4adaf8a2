import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readArguments } from '@orders/platform/process/command-line';
import { options, readOptions, repeatCommand, roundsOf } from '../../src/chaos/chaos-options.ts';

const read = (args: string[]) => readOptions(readArguments(args, options).values);

test('Faults are dealt out in rounds of 25, each with a seed of its own that repeats it alone', () => {
  const { mode, ...chosen } = read(['--faults', '60', '--seed', '7']);
  const rounds = roundsOf(chosen, []);
  assert.deepEqual(rounds, [
    { seed: 7, count: 25 },
    { seed: 8, count: 25 },
    { seed: 9, count: 10 },
  ]);
  const again = repeatCommand(mode, 9, 10).split(' -- ')[1]?.split(' ') ?? [];
  assert.deepEqual(roundsOf(read(again), []), [{ seed: 9, count: 10 }]);
});

test('A run that is continued adds what is missing, with the seeds after the last', () => {
  const known = [
    { seed: 40, faults: Array.from({ length: 25 }) },
    { seed: 41, faults: Array.from({ length: 25 }) },
  ];
  const chosen = read(['--faults', '60', '--continue']);
  assert.deepEqual(roundsOf(chosen, known), [{ seed: 42, count: 10 }]);
  assert.deepEqual(roundsOf({ ...chosen, faults: 50 }, known), []);
});

test('A wrong option is refused with its name', () => {
  assert.throws(() => read(['--mode', 'docker']), /--mode.*docker/);
  assert.throws(() => read(['--faults', '0']), /--faults/);
  assert.throws(() => read(['--seed', '1.5']), /--seed/);
  assert.throws(() => read(['--tempo']), /--tempo/);
});

test('Nothing that git tracks is written unless --record asks for it', () => {
  assert.match(read([]).results, /\/\.data\/chaos\/results\.ndjson$/);
  assert.match(read(['--record']).results, /\/docs\/benchmarks\/chaos-results\.ndjson$/);
  assert.throws(() => read(['--record', '--results', 'x']), /--record and --results/);
});
