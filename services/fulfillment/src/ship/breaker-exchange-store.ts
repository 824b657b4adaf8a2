import type { BreakerView } from '@orders/contracts/operate/breakers';
import type { Database } from '@orders/platform/postgres/database';

export type BreakerMode = BreakerView['mode'];

/** What an instance reports of itself. */
export type InstanceState = {
  breakerState: 'closed' | 'half_open' | 'open';
  /** How long it has been in this state. */
  breakerSinceMs: number;
  lastError: string | null;
  /** Calls that may be in flight, and those that are. */
  callLimit: number;
  calls: number;
  /** Left of a pause that the provider asked for. */
  pausedMs: number;
  /** Orders behind the last failures. */
  failingOrders: string[];
};

/**
 * One statement by which an instance reports its state to the others and reads the mode that
 * operators force on all of them.
 */
export function createBreakerExchangeStore(database: Database, instance: string) {
  return {
    /** Reports the state, or nothing when null; resolves to the mode that operators have set. */
    async exchange(state: InstanceState | null): Promise<BreakerMode> {
      const [row] = await database.query<{ mode: BreakerMode | null }>(exchangeStatement, [
        instance,
        state?.breakerState ?? null,
        Math.round(state?.breakerSinceMs ?? 0),
        state?.lastError ?? null,
        state?.callLimit ?? 0,
        state?.calls ?? 0,
        Math.round(state?.pausedMs ?? 0),
        state?.failingOrders ?? [],
      ]);
      return row?.mode ?? 'automatic';
    },
  };
}

export type BreakerExchangeStore = ReturnType<typeof createBreakerExchangeStore>;

// Instances that all come back after a minute without a database would delete each other while each
// updates itself: what is locked is alive and left alone.
const exchangeStatement = {
  name: 'instance-exchange',
  text: `
    WITH reported AS (
      INSERT INTO instances AS i (instance, breaker_state, breaker_since, last_error, call_limit,
                                  calls, paused_until, failing_orders)
      SELECT $1::text, $2::text, now() - $3::float8 * interval '1 ms', $4::text, $5::int, $6::int,
        CASE WHEN $7::float8 > 0 THEN now() + $7::float8 * interval '1 ms' END, $8::uuid[]
      WHERE $2 IS NOT NULL
      ON CONFLICT (instance) DO UPDATE
      SET breaker_state = excluded.breaker_state,
          breaker_since = excluded.breaker_since,
          last_error = excluded.last_error,
          call_limit = excluded.call_limit,
          calls = excluded.calls,
          paused_until = excluded.paused_until,
          failing_orders = excluded.failing_orders,
          seen_at = now()),
    gone AS (
      DELETE FROM instances
      WHERE instance IN (
        SELECT instance
        FROM instances
        WHERE $2 IS NOT NULL AND seen_at < now() - interval '1 minute' AND instance <> $1
        FOR UPDATE SKIP LOCKED))
    SELECT (SELECT mode FROM breakers WHERE name = 'shipping') AS mode`,
};
