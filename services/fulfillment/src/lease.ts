/** Milliseconds of a claim. What a process forgets is taken up by another after this. */
export const leaseMs = 15_000;
