import { setTimeout as sleep } from 'node:timers/promises';
import type { ServerLog } from '../postgres/postmaster.ts';

const restartDelayMs = 1_000;

/** One life of a part that runs as a process of its own. */
export type Life = {
  pid: number;
  /** Resolves, with words for the log, when the process is gone. Never rejects. */
  exited: Promise<string>;
  /** Ends it; bounded. Never rejects. */
  close(): Promise<void>;
};

/**
 * Starts the part and, whenever it dies, starts it again after a second, until it is closed. One
 * warn line for each death or failed start, one info line when it is back.
 * @throws what the first start throws
 */
export async function keepRunning(
  name: string,
  log: ServerLog,
  start: () => Promise<Life>,
): Promise<{ close(): Promise<void> }> {
  const closing = new AbortController();
  let life: Life | undefined = await start();

  const watch = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      const how = await life?.exited;
      if (closing.signal.aborted) return;
      if (how !== undefined)
        log.warn({ part: name, pid: life?.pid, how }, 'a process died; starting it again');
      life = undefined;
      try {
        await sleep(restartDelayMs, undefined, { signal: closing.signal });
        life = await start();
        log.info({ part: name, pid: life.pid }, 'a process is back');
      } catch (error) {
        if (!closing.signal.aborted)
          log.warn({ part: name, err: error }, 'a process does not start again yet');
      }
    }
  };
  const watching = watch();
  return {
    async close() {
      closing.abort();
      await life?.close();
      await watching;
      // One that was just being started.
      await life?.close();
    },
  };
}
