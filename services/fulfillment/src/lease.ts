/** Milliseconds of a claim. What a process forgets is taken up by another after this. */
export const leaseMs = 15_000;

/** A moment by both clocks of this process. */
export type Moment = { steadyMs: number; wallMs: number };

export const momentNow = (): Moment => ({ steadyMs: performance.now(), wallMs: Date.now() });

/**
 * Milliseconds since `moment`, by the clock that has passed more: the steady one stands still while
 * a virtual machine is paused, the other may be set back. Too large an age only costs a claim.
 */
export const ageMsOf = (moment: Moment): number =>
  Math.max(performance.now() - moment.steadyMs, Date.now() - moment.wallMs);
