import type { TcpProxy } from '../kit/tcp-proxy.ts';
import type { Logs } from './kept-logs.ts';
import type { RoundPlan } from './round-plan.ts';

/** A process, or several that fall together. */
export type Victim = {
  /** Rejects when it had ended by itself before. */
  kill(): Promise<void>;
  launch(): void;
  /** Rejects when it does not work within a minute or so, or has ended. */
  untilReady(): Promise<void>;
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Of the Node process whose CPU time is watched. */
  pid?(): number;
};

/** A running system with everything that can be struck. */
export type Subject = {
  /** Of the Order Service's instances. */
  readonly urls: readonly string[];
  readonly fulfillmentUrls: readonly string[];
  readonly providerUrl: string;
  /** PostgreSQL takes no writes for so long. */
  readOnlySpell(durationMs: number): Promise<void>;
  readonly victims: ReadonlyMap<string, Victim>;
  readonly networks: ReadonlyMap<string, TcpProxy>;
  /** What a program needs to look at the same databases, broker and provider. */
  readonly env: Record<string, string>;
  readonly directory: string;
  readonly logs: Logs;
  close(): Promise<void>;
};

/**
 * How the Fulfillment Service is set in chaos: quick, so that a round is short, and without an end
 * to its attempts.
 */
export const quickShipping = ({ settleSeconds }: RoundPlan): Record<string, string> => ({
  SHIPPING_TIMEOUT_SECONDS: '2',
  SHIPPING_SETTLE_SECONDS: String(settleSeconds),
  SHIPPING_BACKOFF_MS: '200',
  SHIPPING_BACKOFF_MAX_MS: '2000',
  SHIPPING_ATTEMPTS_MAX: '1000',
});

/** How the provider behaves between its faults. */
export const usualSimulation = {
  latencyMs: 20,
  latencyJitterMs: 60,
  failureRate: 0,
  hangRate: 0,
  lostResponseRate: 0.02,
  lookupDelayMs: 0,
  nullFieldsRate: 0,
  foreignReferenceRate: 0,
  notFoundPageRate: 0,
  refusesBooked: false,
};

export const providerEnv = ({ honoursKeys, seed }: RoundPlan): Record<string, string> => ({
  SIMULATION_LATENCY_MS: String(usualSimulation.latencyMs),
  SIMULATION_LATENCY_JITTER_MS: String(usualSimulation.latencyJitterMs),
  SIMULATION_LOST_RESPONSE_RATE: String(usualSimulation.lostResponseRate),
  SIMULATION_DEDUPE: String(honoursKeys),
  SIMULATION_SEED: String(seed % 1_000_000),
});
