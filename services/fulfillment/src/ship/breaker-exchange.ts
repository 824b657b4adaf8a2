import type { BreakerExchangeStore, InstanceState } from './breaker-exchange-store.ts';
import type { ShippingBreaker } from './provider-breaker.ts';

/** What an operator forces holds in every instance after this. */
const lookMs = 1_000;
/** An instance that reports nothing for a minute is taken for gone. */
const reportMs = 5_000;

const failingOrdersMax = 10;

export type BreakerExchange = {
  /**
   * Takes over the mode that operators have set and reports the state of this instance; does
   * nothing when it is not time yet.
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
  load: () => Pick<InstanceState, 'callLimit' | 'calls' | 'pausedMs'>;
}): BreakerExchange {
  const { store, breaker, load } = parts;
  let lookedAt = Number.NEGATIVE_INFINITY;
  let reportedAt = Number.NEGATIVE_INFINITY;
  let reported: string | undefined;
  return {
    async look() {
      const now = performance.now();
      if (now - lookedAt < lookMs) return;
      const { state, sinceMs, lastError, failingOrders } = breaker.view();
      const { pausedMs, ...calls } = load();
      const current = `${state} ${pausedMs > 0}`;
      const isTime = current !== reported || now - reportedAt >= reportMs;
      const mode = await store.exchange(
        isTime
          ? {
              ...calls,
              breakerState: state,
              breakerSinceMs: sinceMs,
              lastError,
              pausedMs,
              failingOrders: failingOrders.slice(-failingOrdersMax),
            }
          : null,
      );
      lookedAt = now;
      if (isTime) [reportedAt, reported] = [now, current];
      breaker.setMode(mode);
    },
  };
}
