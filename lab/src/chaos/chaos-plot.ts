import type { MatrixRow } from './matrix.ts';

const width = 860;
const rowHeight = 20;
const top = 84;
const columns = { kind: 20, faults: 330, under: 400, lost: 450, doubled: 510, stuck: 560 };
const bars = { left: 590, right: width - 60 };

// Readable on light and dark pages: its own background, and colours of equal weight on both.
const style = `
  svg { background: #ffffff; font: 12px system-ui, sans-serif; }
  text { fill: #333a45; } .title { font-size: 15px; font-weight: 600; } .note { fill: #5b6472; } .bad { fill: #c2280c; font-weight: 700; }
  .grid { stroke: #d9dee6; } .whisker { stroke: #1d222a; stroke-width: 1.5; } .bar { fill: #5b8fe0; }
  @media (prefers-color-scheme: dark) {
    svg { background: #14181f; } text { fill: #d6dbe3; } .note { fill: #99a3b3; } .bad { fill: #ff7a5c; }
    .grid { stroke: #2b323d; } .whisker { stroke: #f0f3f7; } .bar { fill: #3f6fb5; }
  }`;

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
    line(x(tick * 1000), top - 8, x(tick * 1000), height - 12, 'grid'),
    text(x(tick * 1000), top - 14, `${tick} s`, 'note', 'middle'),
  ]);
  const heads = (['faults', 'under', 'lost', 'doubled', 'stuck'] as const).map((name) =>
    text(columns[name], top - 14, name === 'under' ? 'orders' : name, 'note', 'end'),
  );
  const lines = rows.flatMap((row, n) => rowOf(row, top + n * rowHeight + 12, x));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">
<title>${escapeText(title)}</title>
<style>${style}
</style>
${[text(20, 28, title, 'title'), text(bars.left, 50, 'time to recover: median, worst', 'note'), ...heads, ...grid, ...lines].join('\n')}
</svg>
`;
}

function rowOf(
  { kind, recoverMs, ...counts }: MatrixRow,
  y: number,
  x: (ms: number) => number,
): string[] {
  const numbers = (['faults', 'under', 'lost', 'doubled', 'stuck'] as const).map((name) => {
    const isBad = ['lost', 'doubled', 'stuck'].includes(name) && counts[name] > 0;
    return text(columns[name], y, counts[name].toLocaleString('en'), isBad ? 'bad' : '', 'end');
  });
  if (recoverMs === undefined) return [text(columns.kind, y, kind), ...numbers];
  const { p50, max } = recoverMs;
  const bar = `<rect x="${bars.left}" y="${y - 10}" width="${tenths(x(p50) - bars.left)}" height="11" rx="2" class="bar"/>`;
  return [
    text(columns.kind, y, kind),
    ...numbers,
    bar,
    line(x(p50), y - 4.5, x(max), y - 4.5, 'whisker'),
    text(x(max) + 6, y, `${(max / 1000).toFixed(1)} s`, 'note'),
  ];
}

const text = (x: number, y: number, what: string, name = '', anchor = 'start'): string =>
  `<text x="${tenths(x)}" y="${y}" class="${name}" text-anchor="${anchor}">${escapeText(what)}</text>`;

const line = (x1: number, y1: number, x2: number, y2: number, name: string): string =>
  `<line x1="${tenths(x1)}" y1="${y1}" x2="${tenths(x2)}" y2="${y2}" class="${name}"/>`;

const tenths = (value: number): number => Math.round(value * 10) / 10;
const escapeText = (what: string): string => what.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
