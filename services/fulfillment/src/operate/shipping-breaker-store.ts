import type { BreakerChange, BreakerView } from '@orders/contracts/operate/breakers';
import { insertAction } from '@orders/platform/operate/operator-journal';
import type { Database } from '@orders/platform/postgres/database';

const name = 'shipping';

/** Statements for the operators' view of the breaker. */
export function createShippingBreakerStore(database: Database) {
  return {
    /** The mode, and what each instance of the last minute reported of itself. */
    async breaker(): Promise<BreakerView> {
      const [row] = await database.query<BreakerRow>(breakerStatement, [name]);
      return {
        name,
        mode: row?.mode ?? 'automatic',
        changedBy: row?.changedBy ?? null,
        changedAt: row?.changedAt?.toISOString() ?? null,
        reason: row?.reason ?? null,
        instances: row?.instances ?? [],
      };
    },
    /** Changes the mode for every instance and records it, in one statement. */
    async setBreaker(change: {
      mode: BreakerChange['mode'];
      operator: string;
      reason: string | null;
    }): Promise<void> {
      const { mode, operator, reason } = change;
      await database.query(setStatement, [name, mode, operator, reason]);
    },
  };
}

export type ShippingBreakerStore = ReturnType<typeof createShippingBreakerStore>;

type BreakerRow = {
  mode: BreakerView['mode'] | null;
  changedBy: string | null;
  changedAt: Date | null;
  reason: string | null;
  instances: BreakerView['instances'] | null;
};

/** PostgreSQL's JSON has its own form of times; this is that of the API. */
const iso = (column: string): string =>
  `to_char((${column}) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

const breakerStatement = {
  name: 'shipping-breaker-show',
  text: `
    SELECT b.mode, b.changed_by AS "changedBy", b.changed_at AS "changedAt", b.reason,
      (SELECT json_agg(
          json_build_object(
            'instance', instance,
            'state', breaker_state,
            'since', ${iso('breaker_since')},
            'lastError', last_error,
            'callLimit', call_limit,
            'calls', calls,
            'pausedUntil', ${iso('CASE WHEN paused_until > now() THEN paused_until END')},
            'failingOrders', to_json(failing_orders),
            'seenAt', ${iso('seen_at')})
          ORDER BY instance)
       FROM instances
       WHERE seen_at > now() - interval '1 minute') AS instances
    FROM (SELECT) one LEFT JOIN breakers b ON b.name = $1`,
};

const setStatement = {
  name: 'shipping-breaker-set',
  text: `
    WITH set AS (
      INSERT INTO breakers (name, mode, changed_by, reason) VALUES ($1, $2, $3, $4)
      ON CONFLICT (name) DO UPDATE
      SET mode = excluded.mode,
          changed_by = excluded.changed_by,
          reason = excluded.reason,
          changed_at = now())
    ${insertAction({
      operator: '$3',
      action: "'set_breaker'",
      reason: '$4',
      request: "json_build_object('name', $1, 'mode', $2)",
      result: "'{}'",
    })}`,
};
