// Measured as the ceiling: what HTTP, JSON and the check of the body cost when nothing is kept.
import { createBareServer } from './bare-fastify.ts';
import { serve } from './serve.ts';

await serve(async () => {
  const app = createBareServer(async () => ({ orderId: crypto.randomUUID(), status: 'Created' }));
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { url, close: () => app.close() };
});
