import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifySchemaCompiler,
} from 'fastify';
import { CodedError, codeOf, type ErrorCode, toProblem } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { createRequestValidation } from './request-validation.ts';
import type { ServerTls } from './server-tls.ts';

export type HttpServer = FastifyInstance;
export type HttpReply = FastifyReply;

declare module 'fastify' {
  interface FastifySchema {
    /** No body, or an empty one, is taken as {}. */
    'x-body-optional'?: boolean;
  }
}

const bodyLimitBytes = 1024 * 1024;
/**
 * A client that sends its headers, or its whole request, slower than this is cut off with 408; one
 * that is slower to begin TLS, without a word.
 */
const usualPatience = { headersMs: 10_000, requestMs: 30_000, checkMs: 2_000 };
/**
 * More connections than this are closed at once, or idle ones could take all memory and file
 * descriptors.
 */
const connectionsMax = 10_000;
/** Requests in flight may end when the server closes; what is still connected then is cut. */
const drainMs = 2_000;
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE'] as const;

/**
 * A Fastify server that keeps to the house's HTTP rules: JSON bodies of valid UTF-8 up to 1 MiB,
 * schemas checked without coercion (queries with), every error as application/problem+json, 405
 * with Allow, nothing of a driver or a stack in an answer. Routes are added by the caller, then
 * `listen` of this module opens the port.
 */
export function createHttpServer(options: {
  log: Log;
  tls?: ServerTls | undefined;
  trustProxy?: string | undefined;
  patience?: typeof usualPatience;
}): HttpServer {
  const { log, patience = usualPatience } = options;
  const limits = {
    headersTimeout: patience.headersMs,
    connectionsCheckingInterval: patience.checkMs,
  };
  const prefix = crypto.randomUUID().slice(0, 8);
  let count = 0;
  const app = fastify({
    ...(options.tls
      ? { https: { ...options.tls, ...limits, handshakeTimeout: patience.headersMs } }
      : { http: limits }),
    ...(options.trustProxy !== undefined && { trustProxy: options.trustProxy }),
    logger: false,
    bodyLimit: bodyLimitBytes,
    requestTimeout: patience.requestMs,
    forceCloseConnections: 'idle',
    // A request that comes while the server closes is answered as long as the parts behind it can,
    // with Connection: close.
    return503OnClosing: false,
    genReqId: () => `${prefix}-${++count}`,
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, request, reply) => sendError(error, request, reply, log),
    clientErrorHandler,
  });
  app.server.maxConnections = connectionsMax;
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      done(null, body.length === 0 && isBodyOptional(request) ? {} : parseJson(body as Buffer));
    } catch (error) {
      done(error as Error, undefined);
    }
  });
  app.addHook('onRoute', (route) => {
    if (route.schema?.['x-body-optional'] === true) route.preValidation = supplyBody;
  });
  const validation = createRequestValidation();
  app.setValidatorCompiler(validation.compiler as FastifySchemaCompiler<unknown>);
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendError(validation.toError(error, request), request, reply, log),
  );
  app.setNotFoundHandler((request, reply) =>
    sendError(
      new CodedError('route_not_found', 'There is no route with this path.'),
      request,
      reply,
      log,
    ),
  );
  noteMethods(app);
  boundClosing(app);
  return app;
}

/**
 * Node does not count a connection that never sent a request as idle, so one of them would hold up
 * the closing for a minute.
 */
function boundClosing(app: HttpServer): void {
  let cut: NodeJS.Timeout | undefined;
  app.addHook('preClose', (done) => {
    cut = setTimeout(() => app.server.closeAllConnections(), drainMs);
    done();
  });
  app.addHook('onClose', async () => clearTimeout(cut));
}

/**
 * Opens the port; throws an Error that names the port and the variable that changes it when it is
 * taken.
 */
export async function listen(
  app: HttpServer,
  at: { host: string; port: number; portVariable: string },
): Promise<void> {
  refuseOtherMethods(app);
  try {
    await app.listen({ host: at.host, port: at.port });
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error;
    throw new Error(
      `Port ${at.port} on ${at.host} is in use: end the program that uses it or set ${at.portVariable}.`,
    );
  }
}

function parseJson(body: Buffer): unknown {
  // Decoding would silently turn invalid bytes into U+FFFD.
  if (!isUtf8(body)) throw new CodedError('invalid_json', 'The body is not valid UTF-8.');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw new CodedError('invalid_json', 'The body cannot be parsed as JSON.');
  }
}

const isBodyOptional = ({ routeOptions }: FastifyRequest): boolean =>
  routeOptions.schema?.['x-body-optional'] === true;

async function supplyBody(request: FastifyRequest): Promise<void> {
  if (request.body === undefined) request.body = {};
}

const fastifyCodes: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'body_too_large',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'unsupported_media_type',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'bad_request',
  FST_ERR_BAD_URL: 'bad_request',
  FST_ERR_MAX_PARAM_LENGTH: 'bad_request',
};

const details: Partial<Record<ErrorCode, string>> = {
  body_too_large: `The body must not be larger than ${bodyLimitBytes} bytes.`,
  unsupported_media_type: 'Send the body with Content-Type: application/json.',
  bad_request: 'The request line, a header or the length of the body is not valid.',
};

function sendError(error: Error, request: FastifyRequest, reply: FastifyReply, log: Log): void {
  const coded = toCoded(error);
  if (coded === undefined || coded.cause !== undefined) {
    log.error(
      { err: coded?.cause ?? error, requestId: request.id, route: request.routeOptions.url },
      'request failed',
    );
  }
  const answer =
    coded ??
    new CodedError('internal_error', 'The request could not be carried out now; try again.');
  if (answer.retryAfterSeconds !== undefined) reply.header('retry-after', answer.retryAfterSeconds);
  void reply
    .code(answer.status)
    .type('application/problem+json')
    .serializer((problem: unknown) => JSON.stringify(problem))
    .send(toProblem(answer, request.id));
}

function toCoded(error: Error): CodedError | undefined {
  if (error instanceof CodedError) return error;
  const code = fastifyCodes[codeOf(error) ?? ''];
  return code === undefined ? undefined : new CodedError(code, details[code] ?? '');
}

/**
 * Methods by path, noted while routes are added; what a path lacks is refused when the port opens.
 */
const methodsByPath = new WeakMap<HttpServer, Map<string, Set<string>>>();

function noteMethods(app: HttpServer): void {
  const noted = new Map<string, Set<string>>();
  methodsByPath.set(app, noted);
  app.addHook('onRoute', ({ url, method, prefix }) => {
    // The pages of plugins keep their own ways.
    if (prefix !== '') return;
    const known = noted.get(url) ?? new Set<string>();
    for (const one of [method].flat()) known.add(one);
    noted.set(url, known);
  });
}

/**
 * Fastify answers 404 to a method that a path does not have; HTTP wants 405 with Allow (RFC 9110,
 * 15.5.6).
 */
function refuseOtherMethods(app: HttpServer): void {
  for (const [url, known] of [...(methodsByPath.get(app) ?? [])]) {
    const others = methods.filter((method) => !known.has(method));
    const allow = [...known].join(', ');
    const refuse = async (_request: FastifyRequest, reply: FastifyReply): Promise<never> => {
      reply.header('allow', allow);
      throw new CodedError('method_not_allowed', `This path takes ${allow}.`);
    };
    // Refused on arrival: a body that cannot be read must not hide that the method is wrong.
    const route = {
      method: others,
      url,
      schema: { hide: true } as object,
      onRequest: refuse,
      handler: refuse,
    };
    if (others.length > 0) app.route(route);
  }
}

function clientErrorHandler(
  this: FastifyInstance,
  error: Error & { code?: string },
  socket: Socket,
): void {
  // Whoever has not even begun TLS cannot be answered: the answer would wait for that, and hold the
  // connection for ever.
  if (!/^(HPE|ERR_HTTP)_/.test(error.code ?? '') || !socket.writable) return void socket.destroy();
  const code: ErrorCode =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers_too_large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request_timeout'
        : 'bad_request';
  const coded = new CodedError(code, 'The request could not be read.');
  const body = JSON.stringify(toProblem(coded, 'none'));
  socket.end(
    `HTTP/1.1 ${coded.status} ${code}\r\ncontent-type: application/problem+json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
