/**
 * A sleep that can be ended early: `wake` wakes the sleeper, so does `stopped`. A wake-up while nobody
 * sleeps is forgotten: the sleeper looks at its conditions before it lies down.
 */
export function createWakeableSleep(stopped: AbortSignal): {
  sleep(ms: number): Promise<void>;
  wake(): void;
} {
  let wake = (): void => undefined;
  return {
    sleep: (ms) =>
      new Promise<void>((resolve) => {
        if (stopped.aborted) return resolve();
        const end = (): void => {
          clearTimeout(timer);
          stopped.removeEventListener('abort', end);
          resolve();
        };
        const timer = setTimeout(end, Math.max(0, ms));
        stopped.addEventListener('abort', end, { once: true });
        wake = end;
      }),
    wake: () => wake(),
  };
}
