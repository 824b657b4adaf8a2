import type { Log } from '@orders/platform/process/log';
import type { Metrics } from '@orders/platform/process/metrics';
import type { Outcome } from '../fulfillment.ts';
import type { BreakerMode } from './breaker-exchange-store.ts';
import { type BreakerState, createCircuitBreaker } from './circuit-breaker.ts';
import { misconfigured } from './provider-client.ts';

/** Half of the last calls failed: the provider is ill, and calling it more helps nobody. */
const limits = {
  size: 20,
  minimumCalls: 10,
  threshold: 0.5,
  probes: 3,
  openMs: 500,
  openMaxMs: 10_000,
};
const name = 'shipping';
const gaugeOf: Record<BreakerState, number> = { closed: 0, half_open: 1, open: 2 };
const stateOf = { forced_open: 'open', forced_closed: 'closed' } as const;

/** Failures of the provider, not of the order: whoever refuses, or asks for fewer calls, works. */
function isFailure(outcome: Outcome): boolean {
  if (outcome.kind === 'not_sent' || outcome.kind === 'misconfigured') return true;
  if (outcome.kind !== 'unknown' && outcome.kind !== 'no_answer' && outcome.kind !== 'not_booked')
    return false;
  const { status = 0 } = outcome;
  return status < 400 || status >= 500 || misconfigured.has(status);
}

export type ShippingBreaker = ReturnType<typeof createShippingBreaker>;

/**
 * The circuit breaker around the provider. Automatic, it goes by the calls of this instance; what
 * an operator forces holds until he takes it back, and then it begins closed. While it is open no
 * call leaves.
 */
export function createShippingBreaker(parts: { log: Log; metrics: Metrics }) {
  const log = parts.log.child({ station: 'dispatch' });
  let mode: BreakerMode = 'automatic';
  let since = performance.now();
  let lastError: string | null = null;
  const onChange = (state: BreakerState): void => (mode === 'automatic' ? tell(state) : undefined);
  const automatic = createCircuitBreaker({ ...limits, onChange });
  tell('closed');

  function tell(state: BreakerState): void {
    since = performance.now();
    parts.metrics.breakerState.set({ name }, gaugeOf[state]);
    if (state === 'open')
      log.warn({ err: lastError, mode }, 'shipping provider fails, calls are claimed back');
    if (state === 'closed' && lastError !== null)
      log.info({ mode }, 'shipping provider is called again');
  }
  const state = (): BreakerState => (mode === 'automatic' ? automatic.state : stateOf[mode]);

  return {
    /** Carries a call out, at once or not at all: then the outcome is `put_off`. */
    async execute(call: () => Promise<Outcome>): Promise<Outcome> {
      const admitted = mode === 'automatic' ? automatic.begin(performance.now()) : undefined;
      if (admitted === undefined && mode !== 'forced_closed') {
        return {
          kind: 'put_off',
          error: mode === 'forced_open' ? 'circuit breaker forced open' : 'circuit breaker open',
        };
      }
      let failed = true;
      try {
        const outcome = await call();
        failed = isFailure(outcome);
        if (failed && 'error' in outcome) lastError = outcome.error;
        return outcome;
      } finally {
        if (admitted !== undefined) automatic.end(admitted, failed, performance.now());
      }
    },
    /** How many calls may begin now; unbounded while closed. */
    room(): number {
      if (mode === 'automatic') return automatic.room(performance.now());
      return mode === 'forced_open' ? 0 : Number.POSITIVE_INFINITY;
    },
    /**
     * Milliseconds until calls may leave again by themselves; 0 where they may now, or where nobody
     * knows.
     */
    waitMs: (): number => (mode === 'automatic' ? automatic.waitMs(performance.now()) : 0),
    /** Takes over what operators have set. */
    setMode(next: BreakerMode): void {
      if (next === mode) return;
      const before = state();
      log.warn({ from: mode, to: next }, 'shipping breaker set by an operator');
      mode = next;
      automatic.reset();
      if (state() !== before) tell(state());
    },
    view: () => ({ state: state(), sinceMs: performance.now() - since, lastError }),
  };
}
