import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance } from 'fastify';
import { CodedError } from '../process/errors.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /**
     * From now on /health/ready is 503 and each answer ends its connection; resolves after
     * `seconds`, at once where the port was never open. A second call waits for the first.
     */
    drain(seconds: number): Promise<void>;
  }
}

/** Adds `drain`: callers go elsewhere before the port closes, and none of them is refused. */
export function addDraining(app: FastifyInstance): void {
  let draining: Promise<unknown> | undefined;
  app.addHook('onRequest', async (request) => {
    if (draining !== undefined && request.routeOptions.url === '/health/ready')
      throw new CodedError('stopping', 'The process is stopping; ask another instance.');
  });
  app.addHook('onSend', async (_request, reply) => {
    if (draining !== undefined) reply.header('connection', 'close');
  });
  app.decorate('drain', async (seconds: number) => {
    if (!app.server.listening) return;
    draining ??= sleep(seconds * 1_000);
    await draining;
  });
}
