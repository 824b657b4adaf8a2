import { type OperatorHeader, operatorHeader } from '@orders/contracts/operate/actions';
import {
  RepublishAnswer,
  type RepublishRequest,
  republishRequest,
} from '@orders/contracts/operate/republish';
import { problems } from '@orders/contracts/problem';
import type { TSchema } from 'typebox';
import { orUnavailable } from '../http/or-unavailable.ts';
import type { HttpServer } from '../http/server.ts';

/** Adds POST /api/events/republish. `filter` is the schema of what this service selects by. */
export function addRepublishRoutes<F>(
  app: HttpServer,
  parts: {
    filter: TSchema;
    republish: (request: RepublishRequest<F>, operator: string) => Promise<RepublishAnswer>;
  },
): void {
  app.post<{ Body: RepublishRequest<F>; Headers: OperatorHeader }>('/api/events/republish', {
    config: { scope: 'operate' },
    schema: {
      tags: ['operators'],
      summary: 'Publish events of orders again, with the same event ids, at a limited rate',
      description:
        'For what was published and not consumed. At most 1,000 orders a request; each request keeps a rate of its own. Readers go by order id and sequence, so a copy too many is harmless.',
      headers: operatorHeader,
      body: republishRequest(parts.filter),
      response: { 200: RepublishAnswer, ...problems(400, 413, 415, 503) },
    },
    handler: ({ body, headers }) =>
      orUnavailable(() => parts.republish(body, headers['x-operator'])),
  });
}
