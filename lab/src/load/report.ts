import type { Count, Ends, Tally } from './tally.ts';

type Line = [label: string, count: number | string, note: string];

/**
 * The closing table of a run, ready to print. `postingSeconds` is the time in which the orders were
 * posted.
 */
export function reportOf(tally: Tally, ends: Ends, postingSeconds: number): string {
  const { p50, p95, p99, max } = tally.latency();
  const lines: Line[] = [
    ['posted', tally.posted, `${round(tally.posted / Math.max(0.001, postingSeconds))} orders/s`],
    ['accepted', tally.accepted.size, ''],
    ['  shipped', ends.shipped, ''],
    ['  failed', ends.failed, ''],
    ['  cancelled', ends.cancelled, ''],
    ['  still open', ends.open.length, examples(ends.open)],
    ['  lost: accepted, not found', ends.lost.length, examples(ends.lost)],
    ['refused', sum(tally.refused), ''],
    ...reasons(tally.refused),
    ['without a verdict', sum(tally.withoutVerdict), ''],
    ...reasons(tally.withoutVerdict),
    ['answers other than 201 and 400', total(tally.otherAnswers.values()), ''],
    ...[...tally.otherAnswers].map(([kind, count]): Line => [`  ${kind}`, count, '']),
  ];
  if (tally.accepted.size > 0) {
    lines.push([
      'accepted after, ms',
      '',
      `p50 ${round(p50)}  p95 ${round(p95)}  p99 ${round(p99)}  max ${round(max)}`,
    ]);
  }
  return table(lines);
}

/** True when every order has a verdict and every accepted one has reached its end. */
export function isComplete(tally: Tally, ends: Ends): boolean {
  return tally.withoutVerdict.size === 0 && ends.open.length === 0 && ends.lost.length === 0;
}

function table(lines: Line[]): string {
  const labelWidth = Math.max(...lines.map(([label]) => label.length));
  const countWidth = Math.max(...lines.map(([, count]) => String(count).length));
  return lines
    .map(([label, count, note]) =>
      `${label.padEnd(labelWidth)}  ${String(count).padStart(countWidth)}  ${note}`.trimEnd(),
    )
    .join('\n');
}

function reasons(counts: ReadonlyMap<string, Count>): Line[] {
  const byCount = [...counts].sort(([, a], [, b]) => b.count - a.count);
  return byCount.map(([reason, { count, example }]) => [`  ${reason}`, count, `e.g. ${example}`]);
}

const total = (counts: Iterable<number>): number =>
  [...counts].reduce((all, count) => all + count, 0);
const sum = (counts: ReadonlyMap<string, Count>): number =>
  total([...counts.values()].map(({ count }) => count));
const examples = (invoices: string[]): string =>
  invoices.length === 0 ? '' : `e.g. ${invoices.slice(0, 5).join(', ')}`;
const round = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toFixed(1));
