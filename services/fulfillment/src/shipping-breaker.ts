import type { Log } from '@orders/platform/log';
import type { Metrics } from '@orders/platform/metrics';
import {
  BrokenCircuitError,
  CircuitState,
  CountBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  IsolatedCircuitError,
} from 'cockatiel';
import type { Outcome } from './fulfillment.ts';

/** Half of the last calls failed: the provider is ill, and calling it more helps nobody. */
const breaker = { size: 20, threshold: 0.5, minimumNumberOfCalls: 10 };
const halfOpenAfter = { initialDelay: 500, maxDelay: 10_000 };

/** Failures of the provider, not of the order: a refusal says that it works. 429 is the business of the concurrency. */
const countsAsFailure = (outcome: Outcome): boolean =>
  ['not_sent', 'misconfigured', 'unknown', 'no_answer'].includes(outcome.kind) ||
  (outcome.kind === 'not_booked' && outcome.error.startsWith('503'));

class FailedCall extends Error {
  readonly outcome: Outcome;
  constructor(outcome: Outcome) {
    super(outcome.kind);
    this.outcome = outcome;
  }
}

/** A circuit breaker around the provider, of this instance only. While it is open no call leaves: the outcome is `whenOpen`. */
export function createShippingBreaker(parts: { log: Log; metrics: Metrics }) {
  const state = parts.metrics.breakerState;
  const name = 'shipping';
  state.set({ name }, 0);
  const policy = circuitBreaker(handleAll, {
    halfOpenAfter: new ExponentialBackoff(halfOpenAfter),
    breaker: new CountBreaker(breaker),
  });
  policy.onStateChange((now) => {
    state.set({ name }, now === CircuitState.Closed ? 0 : now === CircuitState.HalfOpen ? 1 : 2);
    if (now === CircuitState.Closed) parts.log.info({ station: 'dispatch' }, 'shipping provider works again');
    if (now === CircuitState.Open)
      parts.log.warn({ station: 'dispatch' }, 'shipping provider fails, calls are held back');
  });
  return {
    async execute(call: () => Promise<Outcome>, whenOpen: Outcome): Promise<Outcome> {
      try {
        return await policy.execute(async () => {
          const outcome = await call();
          if (countsAsFailure(outcome)) throw new FailedCall(outcome);
          return outcome;
        });
      } catch (error) {
        if (error instanceof FailedCall) return error.outcome;
        if (error instanceof BrokenCircuitError || error instanceof IsolatedCircuitError) return whenOpen;
        throw error;
      }
    },
  };
}

export type ShippingBreaker = ReturnType<typeof createShippingBreaker>;
