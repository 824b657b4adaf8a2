import type { BreakerExchangeStore, InstanceState } from './breaker-exchange-store.ts';
import type { ShippingBreaker } from './provider-breaker.ts';

/** What an operator forces holds in every instance after this. */
const lookMs = 1_000;
/** An instance that tells nothing for a minute is taken for gone. */
const tellMs = 5_000;

export type BreakerExchange = {
  /**
   * Takes over what operators have set and tells the others of this instance; does nothing when it
   * is not time yet.
   */
  look(): Promise<void>;
};

/**
 * Keeps the breaker of this instance and what the database says of it together. Called with every
 * sweep.
 */
export function createBreakerExchange(parts: {
  store: BreakerExchangeStore;
  breaker: ShippingBreaker;
  load: () => Pick<InstanceState, 'callLimit' | 'calls'>;
}): BreakerExchange {
  const { store, breaker, load } = parts;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let toldAt = Number.NEGATIVE_INFINITY;
  let toldState: string | undefined;
  return {
    async look() {
      const now = performance.now();
      const { state, sinceMs, lastError } = breaker.view();
      if (now - lookedAt < lookMs) return;
      const isTime = state !== toldState || now - toldAt >= tellMs;
      const mode = await store.exchange(
        isTime ? { breakerState: state, breakerSinceMs: sinceMs, lastError, ...load() } : null,
      );
      lookedAt = now;
      if (isTime) [toldAt, toldState] = [now, state];
      breaker.setMode(mode);
    },
  };
}
