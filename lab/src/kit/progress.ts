/**
 * Where progress is written: a terminal gets a bar that is redrawn, anything else a line now and
 * then.
 */
export type ProgressOutput = { isTTY?: boolean; columns?: number; write(text: string): unknown };

const redrawMs = 100;
const lineMs = 5_000;
const barWidth = 24;

/** Begins to show `describe()`; `share` is 0 to 1. `close` shows it a last time. */
export function startProgress(
  out: ProgressOutput,
  describe: () => { share: number; text: string },
): { close(): void } {
  const draw = (): void => {
    const { share, text } = describe();
    if (out.isTTY !== true) return void out.write(`${text}\n`);
    const full = Math.round(Math.min(1, Math.max(0, share)) * barWidth);
    const line = `${'█'.repeat(full)}${'░'.repeat(barWidth - full)} ${text}`;
    out.write(`\r\x1b[K${line.slice(0, (out.columns ?? 80) - 1)}`);
  };
  const timer = setInterval(draw, out.isTTY === true ? redrawMs : lineMs).unref();
  return {
    close() {
      clearInterval(timer);
      draw();
      if (out.isTTY === true) out.write('\n');
    },
  };
}
