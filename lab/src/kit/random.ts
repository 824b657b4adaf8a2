/** Random choices that come again with the same seed (mulberry32). */
export type Random = {
  readonly seed: number;
  /** At least 0, below 1. */
  next(): number;
  /** A whole number from `low` to `high`, both included. */
  between(low: number, high: number): number;
  /** The same things in another order. */
  shuffled<T>(things: readonly T[]): T[];
};

/**
 * The seed of this run: the environment variable SEED where it is set, else a new one. Print it, so
 * that a failure can be repeated.
 */
export function seedOfRun(): number {
  const set = process.env.SEED;
  return set === undefined || set === '' ? Math.floor(Math.random() * 2 ** 31) : Number(set);
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const between = (low: number, high: number) => low + Math.floor(next() * (high - low + 1));
  const shuffled = <T>(things: readonly T[]): T[] =>
    things
      .map((thing) => ({ thing, at: next() }))
      .sort((one, other) => one.at - other.at)
      .map(({ thing }) => thing);
  return { seed, next, between, shuffled };
}
