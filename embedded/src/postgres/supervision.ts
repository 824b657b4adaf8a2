import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { endLeftoverServer } from './leftover-server.ts';
import { type Postmaster, type PostmasterOptions, startPostmaster } from './postmaster.ts';

const restartDelayMs = 250;
const restartDelayMsMax = 5_000;
/**
 * A server that lived this long did not die of its start: the next death begins with the short
 * delay again.
 */
const provenAfterMs = 60_000;

export type Supervision = {
  /** The living server; undefined from its death until the next one accepts connections. */
  current(): Postmaster | undefined;
  /** Settles when the signal has aborted and the last server is stopped. Never rejects. */
  ended: Promise<void>;
};

/**
 * Starts the server again whenever it dies, until `signal` aborts; then stops it. One warn line for
 * each death or failed start, one info line when it is back.
 */
export function supervise(
  first: Postmaster,
  o: PostmasterOptions & { onRestart(pid: number): Promise<void> },
  signal: AbortSignal,
): Supervision {
  let current: Postmaster | undefined = first;
  let delayMs = restartDelayMs;
  const closed = once(signal, 'abort');

  const restart = async (): Promise<Postmaster | undefined> => {
    while (!signal.aborted) {
      try {
        await sleep(delayMs, undefined, { signal });
        delayMs = Math.min(delayMs * 2, restartDelayMsMax);
        // Backends outlive a killed server and hold the shared memory that the next one needs.
        await endLeftoverServer(o.cluster.directory, o.log, signal);
        return await startPostmaster(o, signal);
      } catch (error) {
        if (!signal.aborted)
          o.log.warn({ err: error }, 'embedded PostgreSQL does not start again yet');
      }
    }
    return undefined;
  };

  const watch = async (): Promise<void> => {
    for (let server: Postmaster | undefined = first; server !== undefined; server = current) {
      const begun = performance.now();
      const how = await Promise.race([server.exited, closed]);
      if (signal.aborted) await server.stop();
      current = undefined;
      if (signal.aborted) return;
      const died = performance.now();
      if (died - begun > provenAfterMs) delayMs = restartDelayMs;
      o.log.warn({ pid: server.pid, how }, 'embedded PostgreSQL died; starting it again');
      current = await restart();
      if (current === undefined) return;
      const downMs = Math.round(performance.now() - died);
      o.log.info({ pid: current.pid, downMs }, 'embedded PostgreSQL is back');
      await o.onRestart(current.pid);
    }
  };

  return { current: () => current, ended: watch() };
}
