/**
 * Where progress is written: a terminal gets a bar that is redrawn, anything else a line now and
 * then.
 */
export type ProgressOutput = { isTTY?: boolean; columns?: number; write(text: string): unknown };

const redrawMs = 100;
const lineMs = 10_000;
const barWidth = 24;

/**
 * Begins to show `describe()`; `share` is 0 to 1. `say` puts a line above it that stays; `close`
 * shows it a last time.
 */
export function startProgress(
  out: ProgressOutput,
  describe: () => { share: number; text: string },
): { say(line: string): void; close(): void } {
  const isTerminal = out.isTTY === true;
  const erase = isTerminal ? '\r\x1b[K' : '';
  const draw = (end: string): void => {
    const { share, text } = describe();
    if (!isTerminal) return void out.write(`${text}\n`);
    const full = Math.round(Math.min(1, Math.max(0, share)) * barWidth);
    const line = `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${text}`;
    out.write(`${erase}${line.slice(0, (out.columns ?? 80) - 1)}${end}`);
  };
  const timer = setInterval(draw, isTerminal ? redrawMs : lineMs, '').unref();
  return {
    say: (line) => void out.write(`${erase}${line}\n`),
    close() {
      clearInterval(timer);
      draw('\n');
    },
  };
}
