import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifySchemaCompiler,
} from 'fastify';
import { CodedError, codeOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { boundAnswers } from './answer-room.ts';
import { boundBodies } from './body-room.ts';
import { clientConnectionsMax } from './connections-max.ts';
import { addDraining } from './draining.ts';
import { bodyLimitBytes, readJsonBodies } from './json-body.ts';
import { warnOfOtherListener } from './other-listener.ts';
import { refuseOtherMethods } from './other-methods.ts';
import { clientErrorHandler, sendError } from './problems.ts';
import { refuseRepeatedHeaders } from './repeated-headers.ts';
import { createRequestValidation } from './request-validation.ts';
import type { ServerTls } from './server-tls.ts';

export type HttpServer = FastifyInstance;
export type HttpReply = FastifyReply;

/**
 * A client that sends its headers, or its whole request, slower than this is cut off with 408; one
 * that is slower to begin TLS, without a word.
 */
const usualPatience = { headersMs: 10_000, requestMs: 30_000, checkMs: 2_000 };
const usualKeepAliveMs = 75_000;
/** Requests in flight may end when the server closes; what is still connected then is cut. */
const drainMs = 2_000;

declare module 'fastify' {
  interface FastifyInstance {
    /** Adds what a server needs after its last route; `listen` calls it. */
    finishRoutes(): void;
  }
}

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
  /** How long an idle connection is kept open. */
  keepAliveMs?: number | undefined;
  /** False where all clients are our own. */
  boundsClients?: boolean;
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
    keepAliveTimeout: options.keepAliveMs ?? usualKeepAliveMs,
    forceCloseConnections: 'idle',
    // A request that comes while the server closes is answered as long as the parts behind it can,
    // with Connection: close.
    return503OnClosing: false,
    genReqId: () => `${prefix}-${++count}`,
    routerOptions: { maxParamLength: 512 },
    frameworkErrors: (error, request, reply) => sendError(error, request, reply, log),
    clientErrorHandler,
  });
  if (options.boundsClients !== false) app.server.maxConnections = clientConnectionsMax();
  addDraining(app);
  readJsonBodies(app);
  boundBodies(app);
  boundAnswers(app);
  refuseRepeatedHeaders(app);
  const validation = createRequestValidation();
  app.setValidatorCompiler(validation.compiler as FastifySchemaCompiler<unknown>);
  app.setErrorHandler((error: FastifyError, request, reply) =>
    sendError(validation.toError(error, request), request, reply, log),
  );
  app.setNotFoundHandler((request, reply) => {
    const error = new CodedError('route_not_found', 'There is no route with this path.');
    sendError(error, request, reply, log);
  });
  app.decorate('finishRoutes', refuseOtherMethods(app));
  boundClosing(app);
  warnOfOtherListener(app, log);
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
  app.finishRoutes();
  try {
    await app.listen({ host: at.host, port: at.port });
  } catch (error) {
    if (codeOf(error) !== 'EADDRINUSE') throw error;
    throw new Error(
      `Port ${at.port} on ${at.host} is in use: end the program that uses it or set ${at.portVariable}.`,
    );
  }
}
