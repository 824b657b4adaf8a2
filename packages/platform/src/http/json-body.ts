import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CodedError } from '../process/errors.ts';

declare module 'fastify' {
  interface FastifySchema {
    /** No body, or an empty one, is taken as {}. */
    'x-body-optional'?: boolean;
  }
}

export const bodyLimitBytes = 1024 * 1024;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/** The only bodies that are read are JSON in UTF-8, as they are: neither packed nor repaired. */
export function readJsonBodies(app: FastifyInstance): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      done(null, body.length === 0 && isOptional(request) ? {} : parseJson(body as Buffer));
    } catch (error) {
      done(error as Error, undefined);
    }
  });
  app.addHook('preParsing', (request, reply, _payload, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding === undefined || /^(identity)?$/i.test(encoding.trim())) return done();
    reply.header('accept-encoding', 'identity');
    const detail = `Send the body without Content-Encoding: ${encoding}.`;
    done(new CodedError('unsupported_media_type', detail));
  });
  app.addHook('onRoute', (route) => {
    if (route.schema?.['x-body-optional'] === true) route.preValidation = supplyBody;
  });
}

function parseJson(body: Buffer): unknown {
  // Decoding would silently turn invalid bytes into U+FFFD.
  if (!isUtf8(body)) throw new CodedError('invalid_json', 'The body is not valid UTF-8.');
  // Some editors and serialisers write the mark in front; RFC 8259 lets a parser ignore it.
  const start = body.subarray(0, 3).equals(byteOrderMark) ? 3 : 0;
  try {
    return JSON.parse(body.toString('utf8', start));
  } catch {
    throw new CodedError('invalid_json', 'The body cannot be parsed as JSON.');
  }
}

const isOptional = ({ routeOptions }: FastifyRequest): boolean =>
  routeOptions.schema?.['x-body-optional'] === true;

async function supplyBody(request: FastifyRequest): Promise<void> {
  if (request.body === undefined) request.body = {};
}
