import './access.ts';
import { CodedError } from '../process/errors.ts';
import type { Metrics } from '../process/metrics.ts';
import type { HttpServer } from './server.ts';

const schema = { tags: ['operations'] } as object;
const open = { schema, config: { scope: null } };
const operators = { schema, config: { scope: 'operate' as const } };

/**
 * The routes that operators and orchestrators need on every service: liveness (the process
 * answers), readiness (`isReady` resolves to the reason why not, or undefined; it must be bounded
 * by itself) and Prometheus metrics.
 */
export function addOperationsRoutes(
  app: HttpServer,
  parts: { metrics: Metrics; isReady: () => Promise<string | undefined> },
): void {
  app.get('/health/live', open, async () => ({ status: 'ok' }));
  app.get('/health/ready', open, async () => {
    const reason = await parts.isReady();
    if (reason !== undefined) throw new CodedError('store_unavailable', reason);
    return { status: 'ok' };
  });
  app.get('/metrics', operators, async (_request, reply) => {
    reply.type(parts.metrics.registry.contentType);
    return await parts.metrics.registry.metrics();
  });
}
