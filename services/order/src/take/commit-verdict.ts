import { setTimeout as delay } from 'node:timers/promises';
import { wasNeverSent, whatFailed } from '@orders/platform/postgres/database';
import type { Log } from '@orders/platform/process/log';
import type { Placement } from './placement.ts';
import type { PlacingStore } from './placing-store.ts';

const conflictRetriesMax = 3;
/** A commit without a verdict is asked for during this time; then the answer is 503. */
const verdictMs = 1_500;
/** Whoever waits for the answer has waited for this long at most. */
const answerMs = 2_000;
const verdictRetryMs = 100;

/**
 * Runs placing statements so that each ends with a verdict: it was committed, or it failed. If the
 * connection breaks during the commit, the database is asked which of the orders exist.
 */
export function createCommitVerdict({ store, log }: { store: PlacingStore; log: Log }) {
  async function askForVerdict(
    batch: Placement[],
    asked: { since: number; cause: unknown },
  ): Promise<Set<string>> {
    const deadline = Math.min(performance.now() + verdictMs, asked.since + answerMs);
    for (;;) {
      try {
        return await store.stored(batch.map(({ orderId }) => orderId));
      } catch {
        // The database is still away. After the deadline the answer is the first error.
        if (performance.now() > deadline) throw asked.cause;
        await delay(verdictRetryMs);
      }
    }
  }

  /**
   * Resolves to the ids of the orders of `batch` that `run` has stored. Rejects with the error of
   * `run`; after `unavailable` the orders may still appear.
   */
  return async function commit(
    batch: Placement[],
    run: () => Promise<Set<string>>,
  ): Promise<Set<string>> {
    const since = performance.now();
    for (let retries = 0; ; retries += 1) {
      try {
        return await run();
      } catch (error) {
        const failure = whatFailed(error);
        if (failure === 'conflict' && retries < conflictRetriesMax) continue;
        if (failure !== 'unavailable' || wasNeverSent(error)) throw error;
        // I14: the commit may have succeeded, so the database is asked before the answer leaves.
        const stored = await askForVerdict(batch, { since, cause: error });
        if (stored.size === 0) throw error;
        log.info({ orders: [...stored] }, 'commit without verdict found');
        return stored;
      }
    }
  };
}
