import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError } from '../process/config.ts';
import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { whatFailed } from './database.ts';

const retryMs = 500;

/**
 * Carries out what a service cannot start without, again and again while the database is away or a
 * lock is not to be had, until `signal` aborts. Rejects with every other error, ConfigError
 * included. `work` must bear being repeated.
 */
export async function retryWhileUnavailable<T>(
  { log, schema, signal }: { log: Log; schema: string; signal?: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    try {
      return await work();
    } catch (error) {
      const failure = whatFailed(error);
      if (error instanceof ConfigError || (failure !== 'unavailable' && failure !== 'lock'))
        throw error;
      const waitsFor =
        failure === 'lock'
          ? 'others hold a table that is to be changed, waiting'
          : 'waiting for the database';
      log.warn({ part: 'database', schema, err: messageOf(error) }, waitsFor);
      await delay(retryMs, undefined, signal ? { signal } : {});
    }
  }
}
