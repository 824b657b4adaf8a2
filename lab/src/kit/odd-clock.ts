import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/** A URL: the path of the checkout may have blanks. */
const file = pathToFileURL(join(import.meta.dirname, 'second-clock.ts')).href;

/** The environment of a program whose wall clock is ahead, or behind where that is negative. */
export const secondClock = (aheadSeconds: number): Record<string, string> => ({
  NODE_OPTIONS: `--import ${file}`,
  CLOCK_AHEAD_SECONDS: String(aheadSeconds),
});
