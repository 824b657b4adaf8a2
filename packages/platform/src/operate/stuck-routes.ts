import { StuckPage, type StuckQuery, stuckQuery } from '@orders/contracts/operate/stuck';
import { problems } from '@orders/contracts/problem';
import { orUnavailable } from '../http/or-unavailable.ts';
import type { HttpServer } from '../http/server.ts';
import type { Metrics } from '../process/metrics.ts';
import type { SentinelStore } from './sentinel-store.ts';

/** Adds GET /api/stuck. */
export function addStuckRoutes(
  app: HttpServer,
  parts: { store: SentinelStore; reasons: readonly string[] },
): void {
  app.get<{ Querystring: StuckQuery }>('/api/stuck', {
    config: { scope: 'operate' },
    schema: {
      tags: ['operators'],
      summary: 'List orders that exceed the deadline of their state, with the reason',
      querystring: stuckQuery(parts.reasons),
      response: { 200: StuckPage, ...problems(400, 503) },
    },
    handler: ({ query }) => orUnavailable(() => parts.store.page(query)),
  });
}

/**
 * Adds `stuck_orders{reason}`, of the whole service, on every instance. While the database is away
 * it keeps its last values.
 */
export function observeStuck(
  metrics: Metrics,
  parts: { store: SentinelStore; reasons: readonly string[] },
): void {
  const { store, reasons } = parts;
  metrics.gauge(
    'stuck_orders',
    'Orders that exceed the deadline of their state',
    ['reason'],
    async (gauge) => {
      const counts = await store.counts().catch(() => undefined);
      if (counts === undefined) return;
      for (const reason of reasons) gauge.set({ reason }, counts.get(reason) ?? 0);
    },
  );
}
