import { CodedError } from './errors.ts';
import type { HttpServer } from './http-server.ts';
import type { Metrics } from './metrics.ts';

const operations = { tags: ['operations'] } as object;

/**
 * The routes that operators and orchestrators need on every service: liveness (the process answers), readiness (`isReady`
 * resolves to the reason why not, or undefined; it must be bounded by itself) and Prometheus metrics.
 */
export function addOperationsRoutes(
  app: HttpServer,
  parts: { metrics: Metrics; isReady: () => Promise<string | undefined> },
): void {
  app.get('/health/live', { schema: operations }, async () => ({ status: 'ok' }));
  app.get('/health/ready', { schema: operations }, async () => {
    const reason = await parts.isReady();
    if (reason !== undefined) throw new CodedError('store_unavailable', reason);
    return { status: 'ok' };
  });
  app.get('/metrics', { schema: operations }, async (_request, reply) => {
    reply.type(parts.metrics.registry.contentType);
    return await parts.metrics.registry.metrics();
  });
}
