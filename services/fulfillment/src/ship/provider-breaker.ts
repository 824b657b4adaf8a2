import type { Log } from '@orders/platform/process/log';
import type { Metrics } from '@orders/platform/process/metrics';
import type { Outcome } from '../outcome.ts';
import type { BreakerMode } from './breaker-exchange-store.ts';
import { type BreakerState, createCircuitBreaker } from './circuit-breaker.ts';
import { misconfigured } from './provider-answer.ts';

/** Half of the last calls failed: the provider is ill, and calling it more helps nobody. */
const limits = {
  size: 20,
  minimumCalls: 10,
  threshold: 0.5,
  probes: 3,
  openMs: 500,
  openMaxMs: 10_000,
};
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
 * The circuit breakers around the provider: one for sending, one for looking up, since either may
 * fail alone. Automatic, they go by the calls of this instance; a mode that an operator forces
 * holds for both until it is taken back, and then they begin closed. While one is open no call of
 * its kind leaves.
 */
export function createShippingBreaker(parts: { log: Log; metrics: Metrics }) {
  let mode: BreakerMode = 'automatic';
  let onClosed: () => void = () => undefined;
  const watched = { ...parts, mode: () => mode, onClosed: () => onClosed() };
  const sending = createWatchedBreaker({ ...watched, name: 'shipping' });
  const lookingUp = createWatchedBreaker({ ...watched, name: 'shipping_look_up' });
  const log = parts.log.child({ station: 'dispatch' });

  return {
    /** Carries a sending out, at once or not at all: then the outcome is `put_off`. */
    ship: sending.execute,
    /** The same for a look-up. */
    lookUp: lookingUp.execute,
    /** Is called when calls may leave again after a failure of the provider. */
    onClosed(listener: () => void): void {
      onClosed = listener;
    },
    /** How many calls may begin now; unbounded while closed. */
    room(): number {
      if (mode === 'automatic') return sending.automatic.room(performance.now());
      return mode === 'forced_open' ? 0 : Number.POSITIVE_INFINITY;
    },
    /**
     * Milliseconds until calls may leave again by themselves; 0 where they may now, or where nobody
     * knows.
     */
    waitMs: (): number => (mode === 'automatic' ? sending.automatic.waitMs(performance.now()) : 0),
    /** Takes over the mode that operators have set. */
    setMode(next: BreakerMode): void {
      if (next === mode) return;
      log.warn({ from: mode, to: next }, 'shipping breaker set by an operator');
      mode = next;
      for (const one of [sending, lookingUp]) one.reset();
      if (mode !== 'forced_open') onClosed();
    },
    view: sending.view,
  };
}

/** One breaker with its gauge, its log lines and what it last failed for. */
function createWatchedBreaker(parts: {
  name: string;
  log: Log;
  metrics: Metrics;
  mode: () => BreakerMode;
  onClosed: () => void;
}) {
  const { name, mode, onClosed } = parts;
  const log = parts.log.child({ station: 'dispatch', breaker: name });
  let lastError: string | null = null;
  let shown: BreakerState = 'closed';
  let since = performance.now();
  const automatic = createCircuitBreaker({ ...limits, onChange: () => show() });
  const state = (): BreakerState => {
    const forced = mode();
    return forced === 'automatic' ? automatic.state : stateOf[forced];
  };

  /** One line when it opens and one when it closes: in between it only probes. */
  function show(): void {
    const next = state();
    parts.metrics.breakerState.set({ name }, gaugeOf[next]);
    const wasClosed = shown === 'closed';
    shown = next;
    if (wasClosed === (next === 'closed')) return;
    const outageMs = Math.round(performance.now() - since);
    since = performance.now();
    if (wasClosed) log.warn({ err: lastError, mode: mode() }, 'shipping provider fails');
    else log.info({ outageMs, err: lastError, mode: mode() }, 'shipping provider is called again');
    if (!wasClosed && mode() === 'automatic') onClosed();
  }

  show();

  return {
    automatic,
    async execute(order: { orderId: string }, call: () => Promise<Outcome>): Promise<Outcome> {
      const forced = mode();
      const admitted = forced === 'automatic' ? automatic.begin(performance.now()) : undefined;
      if (admitted === undefined && forced !== 'forced_closed') return putOff(forced, lastError);
      let failed = true;
      try {
        const outcome = await call();
        failed = isFailure(outcome);
        if (failed && 'error' in outcome) lastError = outcome.error;
        return outcome;
      } finally {
        if (admitted !== undefined)
          automatic.end(admitted, { key: order.orderId, isFailure: failed }, performance.now());
      }
    },
    reset(): void {
      automatic.reset();
      show();
    },
    /** Since when it has been closed, or not closed, with the orders behind its last failures. */
    view: () => ({
      state: state(),
      sinceMs: performance.now() - since,
      lastError,
      failingOrders: automatic.failing(),
    }),
  };
}

/** The reason of the outage stays with the order. */
function putOff(mode: BreakerMode, lastError: string | null): Outcome {
  if (mode === 'forced_open') return { kind: 'put_off', error: 'circuit breaker forced open' };
  const cause = lastError === null ? '' : `: ${lastError}`;
  return { kind: 'put_off', error: `circuit breaker open${cause}` };
}
