import type { Metrics } from '../process/metrics.ts';
import type { Database } from './database.ts';
import { troubleNames } from './server-state.ts';

/** Adds `database_trouble{reason}`, of this instance. */
export function observeDatabase(metrics: Metrics, database: Database): void {
  metrics.gauge(
    'database_trouble',
    '1 while PostgreSQL cannot carry out statements, by reason',
    ['reason'],
    (gauge) => {
      for (const reason of troubleNames) gauge.set({ reason }, database.trouble === reason ? 1 : 0);
    },
  );
}
