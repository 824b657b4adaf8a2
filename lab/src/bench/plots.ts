import { axisUpTo, barAt, lineAt, round, svgDocument, textAt } from '../kit/svg.ts';

const width = 720;
const height = 340;

export type Bar = { label: string; value: number; min: number; max: number };

/**
 * Horizontal bars from 0, each with its value and a whisker from `min` to `max`. `unit` names the
 * axis.
 */
export function barPlot(title: string, unit: string, bars: readonly Bar[]): string {
  const left = 200;
  const right = width - 70;
  const top = 56;
  const bottom = height - 56;
  const axis = axisUpTo(Math.max(...bars.map(({ max }) => max)));
  const x = (value: number): number => left + ((right - left) * value) / axis.max;
  const step = (bottom - top) / bars.length;
  const rows = bars.flatMap(({ label, value, min, max }, index) => {
    const y = top + step * index + step * 0.2;
    const middle = y + step * 0.3;
    return [
      textAt(left - 10, middle + 4, label, '', 'end'),
      barAt(left, x(value), y, step * 0.6),
      lineAt(x(min), middle, x(max), middle, 'whisker'),
      textAt(x(max) + 8, middle + 4, format(value)),
    ];
  });
  const grid = axis.ticks.flatMap((tick) => [
    lineAt(x(tick), top, x(tick), bottom, tick === 0 ? 'axis' : 'grid'),
    textAt(x(tick), bottom + 18, format(tick), 'note', 'middle'),
  ]);
  return svgDocument(title, { width, height }, [
    ...grid,
    ...rows,
    textAt((left + right) / 2, height - 14, unit, 'note', 'middle'),
  ]);
}

export type Series = { label: string; points: { x: number; y: number }[] };

/**
 * Lines over a common x axis, both axes from 0; a legend below the title names them. At most three
 * series have a colour each.
 */
export function linePlot(
  title: string,
  labels: { x: string; y: string },
  series: readonly Series[],
): string {
  const left = 84;
  const right = width - 30;
  const top = 76;
  const bottom = height - 56;
  const points = series.flatMap((one) => one.points);
  const xAxis = axisUpTo(Math.max(...points.map((point) => point.x)));
  const yAxis = axisUpTo(Math.max(...points.map((point) => point.y)));
  const x = (value: number): number => left + ((right - left) * value) / xAxis.max;
  const y = (value: number): number => bottom - ((bottom - top) * value) / yAxis.max;
  const grid = [
    ...yAxis.ticks.flatMap((tick) => [
      lineAt(left, y(tick), right, y(tick), tick === 0 ? 'axis' : 'grid'),
      textAt(left - 8, y(tick) + 4, format(tick), 'note', 'end'),
    ]),
    ...xAxis.ticks.map((tick) => textAt(x(tick), bottom + 18, format(tick), 'note', 'middle')),
    textAt((left + right) / 2, height - 14, labels.x, 'note', 'middle'),
    `<g transform="rotate(-90 18 ${(top + bottom) / 2})">${textAt(18, (top + bottom) / 2, labels.y, 'note', 'middle')}</g>`,
  ];
  const lines = series.flatMap((one, index) => {
    const path = one.points.map((point) => `${round(x(point.x))},${round(y(point.y))}`).join(' ');
    const legend = left + index * 220;
    return [
      `<polyline points="${path}" class="line s${index}"/>`,
      lineAt(legend, 52, legend + 22, 52, `line s${index}`),
      textAt(legend + 30, 56, one.label),
    ];
  });
  return svgDocument(title, { width, height }, [...grid, ...lines]);
}

function format(value: number): string {
  const digits = Math.abs(value) >= 10 || Number.isInteger(value) ? 0 : 2;
  return value.toLocaleString('en', { maximumFractionDigits: digits });
}
