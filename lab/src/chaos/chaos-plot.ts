import { barAt, lineAt, svgDocument, textAt } from '../kit/svg.ts';
import type { MatrixRow } from './matrix.ts';

const width = 860;
const rowHeight = 20;
const top = 84;
const columns = { kind: 20, faults: 330, under: 400, lost: 450, doubled: 510, stuck: 560 };
const bars = { left: 590, right: width - 60 };

/**
 * The matrix as a picture: counts, and for the time to recover a bar up to the median with a
 * whisker up to the worst.
 */
export function chaosPlot(title: string, rows: readonly MatrixRow[]): string {
  const height = top + rows.length * rowHeight + 16;
  const worst = Math.max(1_000, ...rows.map(({ recoverMs }) => recoverMs?.max ?? 0));
  const stepSeconds = [1, 2, 5, 10, 20, 60, 120].find((step) => worst / 1000 / step <= 6) ?? 300;
  const x = (ms: number): number => bars.left + ((bars.right - bars.left) * ms) / worst;
  const ticks = Array.from(
    { length: Math.floor(worst / 1000 / stepSeconds) + 1 },
    (_, n) => n * stepSeconds,
  );
  const grid = ticks.flatMap((tick) => [
    lineAt(x(tick * 1000), top - 8, x(tick * 1000), height - 12, 'grid'),
    textAt(x(tick * 1000), top - 14, `${tick} s`, 'note', 'middle'),
  ]);
  const heads = (['faults', 'under', 'lost', 'doubled', 'stuck'] as const).map((name) =>
    textAt(columns[name], top - 14, name === 'under' ? 'orders' : name, 'note', 'end'),
  );
  const lines = rows.flatMap((row, n) => rowOf(row, top + n * rowHeight + 12, x));
  return svgDocument(title, { width, height }, [
    textAt(bars.left, 50, 'time to recover: median, worst', 'note'),
    ...heads,
    ...grid,
    ...lines,
  ]);
}

function rowOf(
  { kind, recoverMs, ...counts }: MatrixRow,
  y: number,
  x: (ms: number) => number,
): string[] {
  const numbers = (['faults', 'under', 'lost', 'doubled', 'stuck'] as const).map((name) => {
    const isBad = ['lost', 'doubled', 'stuck'].includes(name) && counts[name] > 0;
    return textAt(columns[name], y, counts[name].toLocaleString('en'), isBad ? 'bad' : '', 'end');
  });
  if (recoverMs === undefined) return [textAt(columns.kind, y, kind), ...numbers];
  const { p50, max } = recoverMs;
  return [
    textAt(columns.kind, y, kind),
    ...numbers,
    barAt(bars.left, x(p50), y - 10, 11),
    lineAt(x(p50), y - 4.5, x(max), y - 4.5, 'whisker'),
    textAt(x(max) + 6, y, `${(max / 1000).toFixed(1)} s`, 'note'),
  ];
}
