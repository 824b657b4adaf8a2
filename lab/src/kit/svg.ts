/** A number axis: from 0 to a round number above the data, with a tick at each step. */
export type Axis = { max: number; ticks: number[] };

/**
 * Round ticks (1, 2, 2.5 or 5 times a power of ten) from 0 to at least `max`, about four of them.
 */
export function axisUpTo(max: number): Axis {
  const rough = (max > 0 ? max : 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= rough * 0.999) ?? 10) * power;
  const count = Math.max(1, Math.ceil(max / step - 0.001));
  return {
    max: count * step,
    ticks: Array.from({ length: count + 1 }, (_, index) => index * step),
  };
}

// Readable on light and dark pages: its own background, and colours of equal weight on both.
const style = `
  svg { background: #ffffff; font: 12px system-ui, sans-serif; }
  text { fill: #333a45; } .title { font-size: 15px; font-weight: 600; } .note { fill: #5b6472; }
  .bad { fill: #c2280c; font-weight: 700; }
  .grid { stroke: #d9dee6; } .axis { stroke: #667080; } .whisker { stroke: #1d222a; stroke-width: 1.5; } .line { fill: none; stroke-width: 2; }
  .bar { fill: #5b8fe0; } .s0 { stroke: #2563c9; } .s1 { stroke: #c2570c; } .s2 { stroke: #7a8594; }
  @media (prefers-color-scheme: dark) {
    svg { background: #14181f; } text { fill: #d6dbe3; } .note { fill: #99a3b3; }
    .bad { fill: #ff7a5c; }
    .grid { stroke: #2b323d; } .axis { stroke: #99a3b3; } .whisker { stroke: #f0f3f7; }
    .bar { fill: #3f6fb5; } .s0 { stroke: #6aa3ff; } .s1 { stroke: #ff9a52; } .s2 { stroke: #8b96a6; }
  }`;

/** An SVG document with a title that is shown and read out. Sizes are in pixels. */
export function svgDocument(
  title: string,
  { width, height }: { width: number; height: number },
  content: readonly string[],
): string {
  const size = `viewBox="0 0 ${width} ${height}" width="${width}" height="${height}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">
<title>${escapeText(title)}</title>
<style>${style}
</style>
${textAt(20, 28, title, 'title')}
${content.join('\n')}
</svg>
`;
}

/** A text; `anchor` is start, middle or end. */
export function textAt(x: number, y: number, text: string, name = '', anchor = 'start'): string {
  return `<text x="${round(x)}" y="${round(y)}" class="${name}" text-anchor="${anchor}">${escapeText(text)}</text>`;
}

/** A bar from `left` to `right`, with round corners. */
export function barAt(left: number, right: number, y: number, height: number): string {
  return `<rect x="${left}" y="${round(y)}" width="${round(right - left)}" height="${round(height)}" rx="2" class="bar"/>`;
}

export function lineAt(x1: number, y1: number, x2: number, y2: number, name: string): string {
  return `<line x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}" class="${name}"/>`;
}

/** Tenths of a pixel are enough, and keep the files small. */
export const round = (value: number): number => Math.round(value * 10) / 10;

const escapeText = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
