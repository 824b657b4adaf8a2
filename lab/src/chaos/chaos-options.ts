import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type { Mode } from './fault-kinds.ts';

export const repository = join(import.meta.dirname, '../../..');

export type ChaosOptions = {
  mode: Mode;
  faults: number;
  /** Of the first round; undefined: a new one. */
  seed: number | undefined;
  results: string;
  /** Adds what is missing to `faults` in the results file, with seeds that follow its last. */
  isContinued: boolean;
  /** Also of green rounds. */
  keepsLogs: boolean;
};

export const usage =
  'npm run chaos -- [--faults N] [--seed S] [--mode embedded|kafka] [--results FILE] [--continue] [--keep-logs]\n' +
  '  --faults    how many (default 25), in rounds of about 25\n' +
  '  --seed      of the first round; the next rounds count on from it (default: a new one)\n' +
  '  --mode      embedded (default) or kafka\n' +
  '  --results   file that rounds are added to (default docs/benchmarks/chaos-results.ndjson); the page and the plots go beside it\n' +
  '  --continue  only as many faults as are missing to N in the results of this mode\n' +
  '  --keep-logs also of green rounds, in .data/chaos; those of red ones are always kept\n';

/** @throws Error saying what is wrong with them */
export function readOptions(argv: string[]): ChaosOptions {
  const { values } = parseArgs({
    args: argv,
    options: {
      faults: { type: 'string', default: '25' },
      seed: { type: 'string' },
      mode: { type: 'string', default: 'embedded' },
      results: {
        type: 'string',
        default: join(repository, 'docs/benchmarks/chaos-results.ndjson'),
      },
      continue: { type: 'boolean', default: false },
      'keep-logs': { type: 'boolean', default: false },
    },
  });
  const { mode } = values;
  if (mode !== 'embedded' && mode !== 'kafka')
    throw new Error(`--mode must be embedded or kafka, not "${mode}"`);
  return {
    mode,
    faults: wholeNumber('--faults', values.faults, 1),
    seed: values.seed === undefined ? undefined : wholeNumber('--seed', values.seed, 0),
    results: resolve(values.results),
    isContinued: values.continue,
    keepsLogs: values['keep-logs'],
  };
}

function wholeNumber(name: string, text: string, least: number): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value < 2 ** 31) return value;
  throw new Error(`${name} must be a whole number from ${least}, not "${text}"`);
}

const faultsOfRound = 25;

/** Seed and number of faults of each round; none where the results already have enough. */
export function roundsOf(
  { faults, seed, isContinued }: Pick<ChaosOptions, 'faults' | 'seed' | 'isContinued'>,
  known: readonly { seed: number; faults: readonly unknown[] }[],
): { seed: number; count: number }[] {
  const done = isContinued ? known.reduce((sum, round) => sum + round.faults.length, 0) : 0;
  const last = isContinued ? known.at(-1)?.seed : undefined;
  const first = seed ?? (last === undefined ? Math.floor(Math.random() * 2 ** 30) : last + 1);
  const rounds: { seed: number; count: number }[] = [];
  for (let left = faults - done; left > 0; left -= faultsOfRound) {
    rounds.push({ seed: first + rounds.length, count: Math.min(left, faultsOfRound) });
  }
  return rounds;
}

/** Draws exactly the same round again; its result goes nowhere else. */
export const repeatCommand = (mode: Mode, seed: number, count: number): string =>
  `npm run chaos -- --mode ${mode} --seed ${seed} --faults ${count} --results .data/chaos/repeated.ndjson`;
