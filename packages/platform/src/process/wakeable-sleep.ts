/**
 * A sleep that can be ended early, by `wake` or by `stopped`. A wake-up while nobody sleeps is
 * forgotten: the sleeper checks its conditions before it sleeps.
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
