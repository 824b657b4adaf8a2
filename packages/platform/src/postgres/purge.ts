import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { createLoop } from '../process/loop.ts';

const purgeEveryMs = 60_000;
const purgeMax = 10_000;
/** As many rows as the fastest service can write in a minute, or the table would grow for ever. */
const purgeRoundsMax = 50;

/** Deletes up to `limit` rows that have served; resolves to how many. */
export type Purge = (limit: number) => Promise<number>;

/**
 * Deletes rows that have served, a bounded number every minute. A failure waits for the next turn.
 */
export function startPurge(purges: Record<string, Purge>, log: Log): { close(): Promise<void> } {
  const loop = createLoop({ turn: purgeAll, failed: () => purgeEveryMs });
  loop.start();
  return { close: loop.stop };

  async function purgeAll(): Promise<number> {
    for (const [name, purge] of Object.entries(purges)) {
      await purgeOne(purge).catch((error) =>
        log.debug({ err: messageOf(error) }, `${name} not purged`),
      );
    }
    return purgeEveryMs;
  }

  async function purgeOne(purge: Purge): Promise<void> {
    for (let round = 0; round < purgeRoundsMax && !loop.isStopping; round += 1) {
      if ((await purge(purgeMax)) < purgeMax) return;
    }
  }
}
