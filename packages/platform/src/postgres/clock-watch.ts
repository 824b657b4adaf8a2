import { messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { createLoop } from '../process/loop.ts';
import type { Metrics } from '../process/metrics.ts';
import { clockDifference, setClockAhead } from '../process/wall-clock.ts';
import type { Database } from './database.ts';

const everyMs = 10_000;
/** The answer may have been on its way for any part of the time: a slow one tells too little. */
const answerMsMax = 2_000;

const clockStatement = {
  name: 'clock',
  text: `SELECT (extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms`,
};

/**
 * Compares this machine's clock with PostgreSQL's, now and every ten seconds: the metric
 * `clock_skew_seconds` (positive: ours is ahead), one warning while they differ, and `sharedNow`.
 * Resolves after the first comparison, also where it failed.
 */
export async function startClockWatch(parts: {
  database: Database;
  metrics: Metrics;
  log: Log;
}): Promise<{ close(): Promise<void> }> {
  const { database } = parts;
  const log = parts.log.child({ part: 'clock' });
  const skew = parts.metrics.gauge(
    'clock_skew_seconds',
    'How far the clock of this machine is ahead of that of PostgreSQL',
  );
  let isDifferent = false;

  async function compare(): Promise<number> {
    const began = performance.now();
    const [row] = await database.query<{ ms: number }>(clockStatement, []);
    const tookMs = performance.now() - began;
    if (row === undefined || tookMs > answerMsMax) return everyMs;
    const aheadMs = Date.now() - tookMs / 2 - row.ms;
    skew.set(aheadMs / 1_000);
    setClockAhead(aheadMs);
    logChange();
    return everyMs;
  }

  function logChange(): void {
    const aheadSeconds = clockDifference();
    if ((aheadSeconds !== undefined) === isDifferent) return;
    isDifferent = !isDifferent;
    if (isDifferent)
      log.warn({ aheadSeconds }, "the clock of this machine differs from PostgreSQL's");
    else log.info("the clock of this machine agrees with PostgreSQL's again");
  }

  function failed(error: unknown): number {
    log.debug({ err: messageOf(error) }, 'the clocks were not compared');
    return everyMs;
  }

  const first = Promise.withResolvers<void>();
  const loop = createLoop({
    turn: () => compare().finally(first.resolve),
    failed,
  });
  loop.start();
  await first.promise;
  return { close: loop.stop };
}
