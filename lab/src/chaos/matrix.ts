import type { FaultFigures } from './attribution.ts';
import type { RoundResult } from './round-result.ts';

/** One kind of fault over all rounds of a mode. */
export type MatrixRow = {
  kind: string;
  faults: number;
  placed: number;
  under: number;
  lost: number;
  doubled: number;
  stuck: number;
  recoverMs: { p50: number; max: number } | undefined;
  /** The busiest process of all times. */
  cpuPercent: number | undefined;
};

/**
 * Sorted by the name of what is struck, so that its kinds stand together. An order under two faults
 * counts at both; only what is lost, doubled or stuck is counted once in the last row, which is
 * about all.
 */
export function matrixOf(rounds: readonly RoundResult[]): MatrixRow[] {
  const faults = rounds.flatMap((round) => round.faults);
  const byKind = [...Map.groupBy(faults, ({ kind }) => kind)].map(([kind, all]) =>
    rowOf(kind, all),
  );
  byKind.sort((one, other) => groupOf(one.kind).localeCompare(groupOf(other.kind)));
  const all = rowOf('all', faults);
  const once = (figure: 'lost' | 'doubled' | 'stuck') =>
    rounds.reduce((sum, round) => sum + round[figure], 0);
  return [
    ...byKind,
    { ...all, lost: once('lost'), doubled: once('doubled'), stuck: once('stuck') },
  ];
}

function rowOf(kind: string, faults: readonly FaultFigures[]): MatrixRow {
  const sum = (figure: 'placed' | 'under' | 'lost' | 'doubled' | 'stuck') =>
    faults.reduce((before, fault) => before + fault[figure], 0);
  const times = faults
    .flatMap(({ recoverMs }) => recoverMs ?? [])
    .sort((one, other) => one - other);
  const cpu = faults.flatMap(({ cpuPercent }) => cpuPercent ?? []);
  const max = times.at(-1);
  const p50 = times[Math.floor((times.length - 1) / 2)];
  const [placed, under, lost, doubled, stuck] = (
    ['placed', 'under', 'lost', 'doubled', 'stuck'] as const
  ).map(sum);
  return {
    kind,
    faults: faults.length,
    placed: placed ?? 0,
    under: under ?? 0,
    lost: lost ?? 0,
    doubled: doubled ?? 0,
    stuck: stuck ?? 0,
    recoverMs: p50 === undefined || max === undefined ? undefined : { p50, max },
    cpuPercent: cpu.length === 0 ? undefined : Math.max(...cpu),
  };
}

/**
 * "cut services ↔ Kafka" goes with the other faults of that network, "kill provider" with what the
 * provider does.
 */
const groupOf = (kind: string): string =>
  kind.replace(/^(?:kill|pause|cut|slow|hold|lose bytes of|long pause of) (.*)$/, '$1 $&');
