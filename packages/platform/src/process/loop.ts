import { createWakeableSleep } from './wakeable-sleep.ts';

/** Work that is repeated until the process stops. */
export type Loop = {
  start(): void;
  /** Ends the pause between two turns. During a turn it does nothing. */
  wake(): void;
  /** True from `stop` on: a turn that takes long looks at it. */
  readonly isStopping: boolean;
  /** Lets the turn in hand end; resolves when it has. */
  stop(): Promise<void>;
};

/**
 * A loop whose turns follow each other, each resolving to the milliseconds until the next. `failed`
 * decides the same for a turn that rejects; it logs, so that no failure is lost.
 */
export function createLoop(options: {
  turn: () => Promise<number>;
  failed: (error: unknown) => number;
}): Loop {
  const stopping = new AbortController();
  const pause = createWakeableSleep(stopping.signal);
  let ended: Promise<void> = Promise.resolve();

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) await pause.sleep(await options.turn().catch(options.failed));
  }

  return {
    start() {
      ended = run();
    },
    wake: pause.wake,
    get isStopping() {
      return stopping.signal.aborted;
    },
    async stop() {
      stopping.abort();
      await ended;
    },
  };
}
