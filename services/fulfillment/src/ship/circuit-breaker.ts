export type BreakerState = 'closed' | 'half_open' | 'open';

/** A call that may leave; belongs to the round in which it began. */
type AdmittedCall = { round: number };

export type CircuitBreaker = {
  readonly state: BreakerState;
  /** Lets a call leave, or not: undefined. Each admitted call must be ended. */
  begin(now: number): AdmittedCall | undefined;
  /** What came of a call. One that began in an earlier round says nothing about this one. */
  end(call: AdmittedCall, isFailure: boolean, now: number): void;
  /**
   * How many calls may begin now: no bound while closed, the probes left while half-open, none
   * while open.
   */
  room(now: number): number;
  /** Milliseconds until an open breaker lets probes leave; 0 otherwise. */
  waitMs(now: number): number;
  /** Closes it and forgets what was. */
  reset(): void;
};

export type CircuitBreakerOptions = {
  /** The last calls that are looked at, and how few are too few to judge by. */
  size: number;
  minimumCalls: number;
  /** It opens when more than this share of them failed. */
  threshold: number;
  /** Calls that may leave half-open, at most; most of them decide. Odd. */
  probes: number;
  /**
   * It stays open this long, doubling up to the maximum while the probes fail; half of it is
   * random.
   */
  openMs: number;
  openMaxMs: number;
  onChange: (state: BreakerState) => void;
  random?: () => number;
};

/**
 * A circuit breaker (Michael Nygard, Release It!), pure but for `random`; times are milliseconds of
 * a monotonic clock. What it does not admit is never kept waiting for the probes: the caller puts
 * it off, so that nothing waits in memory until its lease ends.
 */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { size, minimumCalls, threshold, probes, onChange, random = Math.random } = options;
  let state: BreakerState = 'closed';
  let round = 0;
  let openUntil = 0;
  let openings = 0;
  let failures: boolean[] = [];
  let inFlight = 0;

  function become(next: BreakerState): void {
    const isNew = state !== next;
    state = next;
    round += 1;
    failures = [];
    inFlight = 0;
    if (isNew) onChange(next);
  }
  function open(now: number): void {
    const ms = Math.min(options.openMaxMs, options.openMs * 2 ** Math.min(openings, 30));
    openings += 1;
    openUntil = now + ms * (0.5 + random() / 2);
    become('open');
  }
  function close(): void {
    openings = 0;
    become('closed');
  }
  const failed = (): number => failures.filter((isFailure) => isFailure).length;
  const probesLeft = (): number => probes - failures.length - inFlight;

  return {
    get state() {
      return state;
    },
    begin(now) {
      if (state === 'open' && now >= openUntil) become('half_open');
      if (state === 'open' || (state === 'half_open' && probesLeft() <= 0)) return undefined;
      inFlight += 1;
      return { round };
    },
    end(call, isFailure, now) {
      if (call.round !== round) return;
      inFlight -= 1;
      failures = [...failures.slice(-(size - 1)), isFailure];
      if (state === 'half_open') {
        if (failed() > probes / 2) open(now);
        else if (failures.length - failed() > probes / 2) close();
      } else if (failures.length >= minimumCalls && failed() > threshold * failures.length)
        open(now);
    },
    room(now) {
      if (state === 'closed') return Number.POSITIVE_INFINITY;
      if (state === 'half_open') return probesLeft();
      return now >= openUntil ? probes : 0;
    },
    waitMs: (now) => (state === 'open' ? Math.max(0, openUntil - now) : 0),
    reset: close,
  };
}
