import { join, resolve } from 'node:path';
import {
  CommandLineError,
  type readArguments,
  wholeNumber,
} from '@orders/platform/process/command-line';
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

export const usage = `Usage: npm run chaos [-- options]
  --faults N      how many faults (25), in rounds of about 25
  --seed S        of the first round; the next rounds count on from it (default: a new one)
  --mode MODE     embedded (default) or kafka
  --record        adds the rounds to docs/benchmarks/chaos-results.ndjson, and writes the page and the plots there
  --results FILE  adds the rounds to this file (.data/chaos/results.ndjson); the page and the plots go beside it
  --continue      only as many faults as are missing to N in the results of this mode
  --keep-logs     also of green rounds, in .data/chaos; those of red ones are always kept
Exit code: 0 every round is green, 1 a round is not, 2 a wrong option, or Kafka cannot be had.
`;

const text = { type: 'string' } as const;
const flag = { type: 'boolean', default: false } as const;
export const options = {
  faults: { type: 'string', default: '25' },
  seed: text,
  mode: { type: 'string', default: 'embedded' },
  record: flag,
  results: text,
  continue: flag,
  'keep-logs': flag,
} as const;

type Values = ReturnType<typeof readArguments<typeof options>>['values'];

/** @throws CommandLineError that says what is wrong with them */
export function readOptions(values: Values): ChaosOptions {
  const { mode, record, results } = values;
  if (mode !== 'embedded' && mode !== 'kafka')
    throw new CommandLineError(`--mode ${mode} is neither embedded nor kafka.`);
  if (record && results !== undefined)
    throw new CommandLineError('--record and --results name two files: give one of them.');
  const usualFile = record ? 'docs/benchmarks/chaos-results.ndjson' : '.data/chaos/results.ndjson';
  return {
    mode,
    faults: wholeNumber('faults', values.faults, 1),
    seed: values.seed === undefined ? undefined : wholeNumber('seed', values.seed, 0),
    results: results === undefined ? join(repository, usualFile) : resolve(results),
    isContinued: values.continue,
    keepsLogs: values['keep-logs'],
  };
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
