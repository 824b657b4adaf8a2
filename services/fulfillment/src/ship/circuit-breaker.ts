export type BreakerState = 'closed' | 'half_open' | 'open';

/** `key` names the order that the call was for. */
type CallResult = { key: string; isFailure: boolean };

/** A call that may leave; belongs to the round in which it began. */
type AdmittedCall = { round: number };

export type CircuitBreaker = {
  readonly state: BreakerState;
  /** Lets a call leave, or not: undefined. Each admitted call must be ended. */
  begin(now: number): AdmittedCall | undefined;
  /**
   * Takes the result of a call. One that began in an earlier round says nothing about this one.
   * While closed, only the last result of each key counts: a single order cannot open it.
   */
  end(call: AdmittedCall, result: CallResult, now: number): void;
  /** The keys behind the failures that it last looked at. */
  failing(): string[];
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
  let results: CallResult[] = [];
  let lastFailing: string[] = [];
  let inFlight = 0;

  function become(next: BreakerState): void {
    const isNew = state !== next;
    if (next === 'open') lastFailing = failing();
    state = next;
    round += 1;
    results = [];
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
  const failing = (): string[] => results.filter((one) => one.isFailure).map(({ key }) => key);
  const probesLeft = (): number => probes - results.length - inFlight;

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
    end(call, result, now) {
      if (call.round !== round) return;
      inFlight -= 1;
      const others =
        state === 'half_open' ? results : results.filter(({ key }) => key !== result.key);
      results = [...others.slice(-(size - 1)), result];
      const failed = failing().length;
      if (state === 'half_open') {
        if (failed > probes / 2) open(now);
        else if (results.length - failed > probes / 2) close();
      } else if (results.length >= minimumCalls && failed > threshold * results.length) open(now);
    },
    failing: () => (state === 'closed' ? failing() : lastFailing),
    room(now) {
      if (state === 'closed') return Number.POSITIVE_INFINITY;
      if (state === 'half_open') return probesLeft();
      return now >= openUntil ? probes : 0;
    },
    waitMs: (now) => (state === 'open' ? Math.max(0, openUntil - now) : 0),
    reset: close,
  };
}
