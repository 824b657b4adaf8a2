import { existsSync } from 'node:fs';
import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import { problems } from '@orders/contracts/problem';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CodedError } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { isLoopback } from '../process/profile.ts';
import { type ApiKeys, generateApiKey, openApiKeys, type Scope } from './api-keys.ts';
import type { HttpServer } from './server.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /**
     * What a caller must be allowed to; null is for everybody. A route that does not say it is
     * refused where keys are asked for.
     */
    scope?: Scope | null;
  }
  interface FastifyRequest {
    /** Id of the caller's API key; empty where no keys are asked for. */
    caller: string;
    allowed: readonly Scope[] | undefined;
  }
  interface FastifyInstance {
    /**
     * Whether the caller is still who it was when its request came: its key has not been revoked
     * meanwhile. For answers that take long.
     */
    isStillKnown(caller: string): boolean;
  }
}

export type AccessConfig = {
  PROFILE: string;
  HOST?: string;
  API_KEYS_FILE?: string;
  RATE_LIMIT_PER_SECOND?: number;
  CORS_ORIGINS?: string;
  TLS_CERT_FILE?: string;
  TLS_ENDS_IN_FRONT?: boolean;
};

/** Where a limit is not configured and the profile wants one. */
const usualRate = 100;
/** Callers whose rate is remembered at once; the least recent is forgotten. */
const callersMax = 10_000;

/**
 * Who may call what, and how often: API keys with scopes, a rate limit, security headers, CORS. To
 * be called before any route is added. Throws ConfigError where the file of keys cannot be used.
 */
export async function addAccess(
  app: HttpServer,
  parts: { config: AccessConfig; log: Log },
): Promise<void> {
  const { config, log } = parts;
  const { API_KEYS_FILE: file, PROFILE: profile } = config;
  if (file !== undefined && ['dev', 'test'].includes(profile) && !existsSync(file))
    await generateApiKey(file, log);
  const keys = file === undefined ? undefined : openApiKeys(file, log);
  if (keys === undefined && !isLoopback(config.HOST ?? '')) {
    const warning =
      'NO API KEYS: whoever reaches this address may place, read and operate; set API_KEYS_FILE or PROFILE';
    log.warn({ part: 'access', host: config.HOST }, warning);
  }
  app.decorateRequest('caller', '');
  app.decorateRequest('allowed', undefined);
  app.decorate('isStillKnown', (caller) => keys?.has(caller) ?? true);
  app.addHook('onClose', async () => keys?.close());
  await addHeaders(app, config);
  if (keys) identify(app, keys);
  await addRateLimit(app, config);
  if (keys) authorize(app, log);
}

/**
 * Answers are JSON: nothing in them may be run, framed or sniffed. The page at /docs has a policy
 * of its own.
 */
const securityHeaders = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
};
const transportSecurity = { 'strict-transport-security': 'max-age=31536000' };

async function addHeaders(app: HttpServer, config: AccessConfig): Promise<void> {
  const { CORS_ORIGINS, TLS_CERT_FILE, TLS_ENDS_IN_FRONT } = config;
  const isTls = TLS_CERT_FILE !== undefined || TLS_ENDS_IN_FRONT === true;
  const headers = { ...securityHeaders, ...(isTls && transportSecurity) };
  // Not by @fastify/helmet: its dozen headers took a quarter of the CPU of placing an order.
  app.addHook('onRequest', (_request, reply, done) => {
    reply.headers(headers);
    done();
  });
  if (CORS_ORIGINS === undefined) return;
  await app.register(cors, {
    origin: CORS_ORIGINS.split(','),
    methods: ['GET', 'POST', 'PUT'],
    allowedHeaders: [
      'authorization',
      'content-type',
      'idempotency-key',
      'x-correlation-id',
      'x-operator',
    ],
    exposedHeaders: ['location', 'idempotent-replayed', 'retry-after'],
    maxAge: 600,
  });
}

/**
 * Per instance: the key's, or the address's where there is none. Health and other open routes are
 * free.
 */
async function addRateLimit(app: HttpServer, config: AccessConfig): Promise<void> {
  const max = config.RATE_LIMIT_PER_SECOND ?? (config.PROFILE === 'local' ? 0 : usualRate);
  if (max === 0) return;
  await app.register(rateLimit, {
    max,
    timeWindow: 1_000,
    cache: callersMax,
    keyGenerator: (request) => (request.caller === '' ? request.ip : request.caller),
    allowList: (request) => request.routeOptions.config.scope === null,
    errorResponseBuilder: (_request, { ttl }) =>
      new CodedError(
        'rate_limited',
        `At most ${max} requests a second are taken from one caller.`,
        {
          retryAfterSeconds: Math.max(1, Math.ceil(ttl / 1_000)),
        },
      ),
  });
}

function identify(app: HttpServer, keys: ApiKeys): void {
  app.addHook('onRequest', async (request) => {
    const key = keys.find(request.headers.authorization);
    if (key === undefined) return;
    request.caller = key.id;
    request.allowed = key.scopes;
  });
}

/**
 * Before the body is read, and after the rate is counted, so that guessing is limited too. A route
 * without a word on its scope stops the start: better closed than forgotten. Hidden routes
 * (documents, pages, refusals) are no API.
 */
function authorize(app: HttpServer, log: Log): void {
  app.addHook('onRoute', (route) => {
    const schema = route.schema as { hide?: boolean; response?: object } | undefined;
    const scope = route.config?.scope;
    if (scope === null || (scope === undefined && schema?.hide === true)) return;
    if (scope === undefined) {
      throw new Error(`The route ${route.method} ${route.url} does not say which scope it needs.`);
    }
    route.schema = {
      ...schema,
      security: [{ apiKey: [scope] }],
      response: { ...schema?.response, ...problems(401, 403, 429) },
    } as NonNullable<typeof route.schema>;
    route.onRequest = [...[route.onRequest ?? []].flat(), requireScope(scope)];
    if (scope === 'operate')
      route.onResponse = [...[route.onResponse ?? []].flat(), tellChange(log)];
  });
}

/**
 * Whose key it was that changed something as an operator: X-Operator, which is kept with the
 * change, is what the caller says of itself.
 */
function tellChange(log: Log) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const { method, caller: key, allowed, routeOptions } = request;
    if (!allowed?.includes('operate') || method === 'GET' || method === 'HEAD') return;
    const operator = request.headers['x-operator'];
    const route = `${method} ${routeOptions.url}`;
    log.info(
      { part: 'access', key, operator, route, status: reply.statusCode },
      'operator request',
    );
  };
}

function requireScope(scope: Scope) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    if (request.allowed === undefined) {
      reply.header('www-authenticate', 'Bearer');
      throw new CodedError('unauthenticated', 'Send a valid API key: Authorization: Bearer opk_…');
    }
    if (!request.allowed.includes(scope))
      throw new CodedError('forbidden', `The API key lacks the scope ${scope}.`);
  };
}
