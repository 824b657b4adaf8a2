import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';

const purgeEveryMs = 60_000;
const purgeMax = 10_000;
/** As many rows as the fastest service can write in a minute, or the table would grow for ever. */
const purgeRoundsMax = 50;

/** Deletes up to `limit` rows that have served; resolves to how many. */
export type Purge = (limit: number) => Promise<number>;

/**
 * Deletes what has served now and then, a bounded number at a time. A failure waits for the next
 * turn.
 */
export function startPurge(purges: Record<string, Purge>, log: Log): { close(): void } {
  let isClosed = false;
  let isPurging = false;
  const purgeOne = async (name: string, purge: Purge): Promise<void> => {
    try {
      for (let round = 0; round < purgeRoundsMax && !isClosed; round += 1) {
        if ((await purge(purgeMax)) < purgeMax) return;
      }
    } catch (error) {
      log.debug({ err: messageOf(error) }, `${name} not purged`);
    }
  };
  const purgeAll = async (): Promise<void> => {
    if (isPurging) return;
    isPurging = true;
    for (const [name, purge] of Object.entries(purges)) await purgeOne(name, purge);
    isPurging = false;
  };
  const timer = setInterval(() => void purgeAll(), purgeEveryMs);
  return {
    close() {
      isClosed = true;
      clearInterval(timer);
    },
  };
}
