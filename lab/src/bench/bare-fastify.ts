import { NewOrder } from '@orders/contracts/orders/api';
import { createValidator } from '@orders/platform/process/validator';
import fastify, { type FastifyInstance } from 'fastify';
import type { TSchema } from 'typebox';

/**
 * Fastify as it comes, with a POST /api/orders that checks the same schema as the Order Service and
 * answers 201 with what `place` returns. Fastify's own compiler does not know the keyword for
 * decimals, so the validator is the one of the product.
 */
export function createBareServer(place: (order: NewOrder) => Promise<object>): FastifyInstance {
  const app = fastify({ logger: false });
  app.setValidatorCompiler(({ schema }) => {
    const validator = createValidator(schema as TSchema);
    return (value: unknown) =>
      validator.accepts(value) ? { value } : { error: new Error('is not valid') };
  });
  app.post<{ Body: NewOrder }>(
    '/api/orders',
    { schema: { body: NewOrder } },
    async (request, reply) => {
      reply.code(201);
      return await place(request.body);
    },
  );
  return app;
}
