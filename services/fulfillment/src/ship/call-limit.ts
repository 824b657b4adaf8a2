/**
 * How many calls may be in flight: additive increase, multiplicative decrease, as TCP does (Van
 * Jacobson, 1988).
 */
export type CallLimit = {
  /** The limit now; one more for each second since it was last lowered, up to the maximum. */
  at(now: number): number;
  /**
   * The provider said that it gets too many calls. Halves the limit, never below one, unless the
   * call began before the last halving: the answers of one round are one message.
   */
  tooMany(begunAt: number, now: number): void;
};

const raiseMs = 1_000;

/** Times are milliseconds of a monotonic clock. */
export function createCallLimit(max: number): CallLimit {
  let limit = max;
  let changedAt = 0;
  let halvedAt = Number.NEGATIVE_INFINITY;

  function at(now: number): number {
    const raises = Math.floor((now - changedAt) / raiseMs);
    if (limit < max && raises > 0) {
      limit = Math.min(max, limit + raises);
      changedAt += raises * raiseMs;
    }
    return limit;
  }
  return {
    at,
    tooMany(begunAt, now) {
      if (begunAt <= halvedAt) return;
      limit = Math.max(1, Math.floor(at(now) / 2));
      changedAt = now;
      halvedAt = now;
    },
  };
}
