import { METHODS } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError } from '../process/errors.ts';
import { answerOnSocket } from './problems.ts';

/** Node gives CONNECT to the server's own listener, never to a route. */
const methods = METHODS.filter((method) => method !== 'CONNECT');
/** Fastify's own; a body is read only with these. */
const usual = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']);

/**
 * Answers 405 with Allow (RFC 9110, 15.5.6) to every method that Node reads and a path lacks, where
 * Fastify would answer 404. To be called before the routes are added; the result adds the refusals
 * and is to be called after them.
 */
export function refuseOtherMethods(app: FastifyInstance): () => void {
  for (const method of methods.filter((one) => !usual.has(one)))
    app.addHttpMethod(method, { hasBody: false, overrideExisting: true });
  app.server.on('connect', ({ url }, socket) => {
    const error = new CodedError('method_not_allowed', `This server is no proxy to ${url}.`);
    answerOnSocket(socket, error, 'allow: \r\n');
  });
  const methodsByPath = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method, prefix }) => {
    // The pages of plugins keep their own ways.
    if (prefix !== '') return;
    const known = methodsByPath.get(url) ?? new Set<string>();
    for (const one of [method].flat()) known.add(one);
    methodsByPath.set(url, known);
  });
  return () => {
    for (const [url, known] of [...methodsByPath]) refuse(app, url, known);
  };
}

function refuse(app: FastifyInstance, url: string, known: Set<string>): void {
  const others = methods.filter((method) => !known.has(method));
  const allow = [...known].join(', ');
  const handler = async (_request: FastifyRequest, reply: FastifyReply): Promise<never> => {
    reply.header('allow', allow);
    throw new CodedError('method_not_allowed', `This path takes ${allow}.`);
  };
  // Refused on arrival: a body that cannot be read must not hide that the method is wrong.
  const schema = { hide: true } as object;
  if (others.length > 0) app.route({ method: others, url, schema, onRequest: handler, handler });
}
