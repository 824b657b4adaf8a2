import { type OperatorHeader, operatorHeader } from '@orders/contracts/operate/actions';
import {
  DeadLetterDetail,
  DeadLetterDiscard,
  DeadLetterPage,
  DeadLetterPath,
  DeadLetterQuery,
  DeadLetterReplay,
} from '@orders/contracts/operate/dead-letters';
import { problems } from '@orders/contracts/problem';
import { orUnavailable } from '../http/or-unavailable.ts';
import type { HttpServer } from '../http/server.ts';
import type { Database } from '../postgres/database.ts';
import { CodedError } from '../process/errors.ts';
import { createDeadLetterReplay, type EventStation } from './dead-letter-replay.ts';
import { createDeadLetterStore } from './dead-letter-store.ts';

const tags = ['operators'];

/** Adds the routes for the dead letters of the topic that a service consumes. */
export function addDeadLetterRoutes(
  app: HttpServer,
  parts: { database: Database; station: EventStation },
): void {
  const { database, station } = parts;
  const store = createDeadLetterStore(database);
  const { replay, discard } = createDeadLetterReplay({ store, station });

  async function detailOf(id: string): Promise<DeadLetterDetail> {
    const letter = await store.one(id);
    if (letter === undefined)
      throw new CodedError('dead_letter_not_found', `There is no dead letter ${id}.`);
    return letter.detail;
  }

  app.get<{ Querystring: DeadLetterQuery }>('/api/dead-letters', {
    config: { scope: 'operate' },
    schema: {
      tags,
      summary: 'List events that cannot be handled, newest first',
      querystring: DeadLetterQuery,
      response: { 200: DeadLetterPage, ...problems(400, 503) },
    },
    handler: async ({ query: { topic, ...query } }) => {
      if (topic !== undefined && topic !== station.topic) return { items: [], nextPageToken: null };
      return await orUnavailable(() => store.page(query));
    },
  });

  app.get<{ Params: DeadLetterPath }>('/api/dead-letters/:id', {
    config: { scope: 'operate' },
    schema: {
      tags,
      summary: 'Show a dead letter with its bytes and headers',
      params: DeadLetterPath,
      response: { 200: DeadLetterDetail, ...problems(400, 404, 503) },
    },
    handler: ({ params }) => orUnavailable(() => detailOf(params.id)),
  });

  app.post<{ Params: DeadLetterPath; Body: DeadLetterReplay; Headers: OperatorHeader }>(
    '/api/dead-letters/:id/replay',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        summary:
          'Hand a dead letter, or a corrected value in its place, to the station that could not handle it',
        description:
          'Nothing is published. What was handled before changes nothing: no replay ships twice.',
        params: DeadLetterPath,
        headers: operatorHeader,
        body: DeadLetterReplay,
        'x-body-optional': true,
        response: { 200: DeadLetterDetail, ...problems(400, 404, 409, 413, 415, 422, 503) },
      },
      handler: async ({ params: { id }, headers, body }) => {
        const { reason = null, ...given } = body;
        const corrected = 'value' in given ? { corrected: { value: given.value } } : {};
        const by = { operator: headers['x-operator'], reason, ...corrected };
        return await orUnavailable(async () => {
          await replay(id, by);
          return await detailOf(id);
        });
      },
    },
  );

  app.post<{ Params: DeadLetterPath; Body: DeadLetterDiscard; Headers: OperatorHeader }>(
    '/api/dead-letters/:id/discard',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        summary: 'Give up a dead letter; it stays, with the reason',
        params: DeadLetterPath,
        headers: operatorHeader,
        body: DeadLetterDiscard,
        response: { 200: DeadLetterDetail, ...problems(400, 404, 409, 413, 415, 503) },
      },
      handler: async ({ params: { id }, headers, body: { reason } }) =>
        await orUnavailable(async () => {
          await discard(id, { operator: headers['x-operator'], reason });
          return await detailOf(id);
        }),
    },
  );
}
