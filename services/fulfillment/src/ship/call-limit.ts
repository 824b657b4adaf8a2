/**
 * How many calls may be in flight: additive increase, multiplicative decrease, as TCP does (Van
 * Jacobson, 1988); after a pause one probe, then a slow start.
 */
export type CallLimit = {
  /** The limit now; 0 during a pause, 1 until a probe was answered. */
  at(now: number): number;
  /** Whether a pause is over and no call has been taken since. */
  isProbing(now: number): boolean;
  /** Milliseconds that are left of a pause; 0 where there is none. */
  pausedMs(now: number): number;
  /**
   * The provider gets too many calls: none leaves for `retryAfterMs`, bounded by the longest pause,
   * or for a pause that doubles from one probe to the next where the provider names none. Does
   * nothing where the call began before the pause: the answers of one round are one message.
   */
  tooMany(begunAt: number, now: number, retryAfterMs: number): void;
  /** The provider took a call; returns whether this ends a pause. */
  taken(begunAt: number, now: number): boolean;
};

const raiseMs = 1_000;
const pauseMs = 1_000;

/** Times are milliseconds of a monotonic clock; `random` is uniform in [0, 1). */
export function createCallLimit(
  max: number,
  options: { pauseMaxMs: number; random?: () => number },
): CallLimit {
  const { pauseMaxMs, random = Math.random } = options;
  let limit = max;
  /** Up to here the limit doubles, above it rises by one. */
  let ceiling = max;
  let changedAt = 0;
  let pausedAt = Number.NEGATIVE_INFINITY;
  let pausedUntil = Number.NEGATIVE_INFINITY;
  /** Pauses since a call was last taken. */
  let pauses = 0;

  function at(now: number): number {
    if (now < pausedUntil) return 0;
    if (pauses > 0) return 1;
    while (limit < max && now - changedAt >= raiseMs) {
      limit = limit < ceiling ? Math.min(ceiling, limit * 2) : limit + 1;
      changedAt += raiseMs;
    }
    return limit;
  }
  return {
    at,
    isProbing: (now) => pauses > 0 && now >= pausedUntil,
    pausedMs: (now) => Math.max(0, pausedUntil - now),
    tooMany(begunAt, now, retryAfterMs) {
      if (begunAt <= pausedAt) return;
      if (pauses === 0) ceiling = Math.max(1, Math.floor(at(now) / 2));
      const ownMs = pauseMs * 2 ** Math.min(pauses, 30) * (0.5 + random() / 2);
      pausedAt = now;
      pausedUntil = now + Math.min(pauseMaxMs, retryAfterMs > 0 ? retryAfterMs : ownMs);
      pauses += 1;
    },
    taken(begunAt, now) {
      if (pauses === 0 || begunAt < pausedUntil) return false;
      pauses = 0;
      limit = 1;
      changedAt = now;
      return true;
    },
  };
}
