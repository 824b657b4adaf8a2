/** Less is the error of measuring, and harms nobody. */
const toleratedMs = 2_000;

/** A process has one wall clock; what it is ahead of PostgreSQL's was measured last. */
let aheadMs = 0;

export function setClockAhead(ms: number): void {
  aheadMs = ms;
}

/** Seconds that our clock is ahead of PostgreSQL's (behind: negative); undefined: they agree. */
export const clockDifference = (): number | undefined =>
  Math.abs(aheadMs) > toleratedMs ? Math.round(aheadMs / 1_000) : undefined;

/**
 * The time that all processes share, in milliseconds since 1970: Date.now(), put right by what the
 * clock of this machine differs from PostgreSQL's. For times that others compare.
 */
export const sharedNow = (): number =>
  clockDifference() === undefined ? Date.now() : Date.now() - Math.round(aheadMs);
