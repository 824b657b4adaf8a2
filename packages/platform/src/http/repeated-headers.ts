import type { FastifyInstance } from 'fastify';
import { parameterError } from './request-validation.ts';

/** A correlation id that is not usable is ignored, so a repeated one is no fault either. */
const mayRepeat = new Set(['x-correlation-id']);

/**
 * Refuses a header that a route declares and a request carries more than once. Node would join the
 * values with a comma, and `a, b` is a valid key that nobody sent.
 */
export function refuseRepeatedHeaders(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    const { properties = {} } = (route.schema?.headers ?? {}) as { properties?: object };
    const once = Object.keys(properties).filter((name) => !mayRepeat.has(name));
    if (once.length === 0) return;
    const given = [route.preValidation ?? []].flat();
    route.preValidation = [
      ...given,
      async ({ raw: { rawHeaders } }) => {
        for (const name of once)
          if (countOf(name, rawHeaders) > 1) throw parameterError(name, 'must be sent only once');
      },
    ];
  });
}

function countOf(name: string, rawHeaders: string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2)
    if (rawHeaders[i]?.toLowerCase() === name) count += 1;
  return count;
}
