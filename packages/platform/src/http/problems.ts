import type { Duplex } from 'node:stream';
import { type ErrorCode, errorCatalogue, type Problem } from '@orders/contracts/problem';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, codeOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';

/** Fastify's own errors that are the client's fault. */
const clientFaults: Record<string, { code: ErrorCode; detail: string }> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'body_too_large',
    detail: 'The body must not be larger than 1048576 bytes.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'unsupported_media_type',
    detail: 'Send the body with Content-Type: application/json.',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'bad_request',
    detail: 'The body is not as long as Content-Length says.',
  },
  FST_ERR_BAD_URL: { code: 'bad_request', detail: 'The path of the request is not valid.' },
  FST_ERR_MAX_PARAM_LENGTH: { code: 'bad_request', detail: 'A part of the path is too long.' },
};

/** The error as a problem document (RFC 9457). */
function toProblem(error: CodedError, requestId: string): Problem {
  const { code, message: detail, errors } = error;
  const { status, title } = errorCatalogue[code];
  const type = `urn:problem:${code}`;
  return { type, title, status, detail, code, requestId, ...(errors && { errors }) };
}

/**
 * Answers a request with the problem document of its error. An error without a code is a fault of
 * ours: it is logged, and the client gets 503 `internal_error`.
 */
export function sendError(
  error: Error,
  request: FastifyRequest,
  reply: FastifyReply,
  log: Log,
): void {
  const coded = toCoded(error, request);
  if (coded === undefined || coded.cause !== undefined) {
    const err = coded?.cause ?? error;
    log.error({ err, requestId: request.id, route: request.routeOptions.url }, 'request failed');
  } else if (request.raw.readableAborted) {
    log.debug({ requestId: request.id }, 'the client left before its request was complete');
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

function toCoded(error: Error, request: FastifyRequest): CodedError | undefined {
  if (error instanceof CodedError) return error;
  // Nobody reads this answer.
  if (request.raw.readableAborted && codeOf(error) === 'ECONNRESET')
    return new CodedError('bad_request', 'The body is not complete.');
  const fault = clientFaults[codeOf(error) ?? ''];
  return fault && new CodedError(fault.code, fault.detail);
}

/** Answers what Node could not read as a request; Fastify calls it. */
export function clientErrorHandler(error: Error & { code?: string }, socket: Duplex): void {
  // A client that has not even begun TLS cannot be answered: the answer would wait for that, and
  // hold the connection for ever.
  if (!/^(HPE|ERR_HTTP)_/.test(error.code ?? '') || !socket.writable) return void socket.destroy();
  const code: ErrorCode =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? 'headers_too_large'
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? 'request_timeout'
        : 'bad_request';
  answerOnSocket(socket, new CodedError(code, 'The request could not be read.'));
}

/** Answers on the bare connection, and closes it. `headers` end with a line break each. */
export function answerOnSocket(socket: Duplex, error: CodedError, headers = ''): void {
  const body = JSON.stringify(toProblem(error, 'none'));
  const length = Buffer.byteLength(body);
  socket.end(
    `HTTP/1.1 ${error.status} ${error.code}\r\ncontent-type: application/problem+json\r\n` +
      `${headers}connection: close\r\ncontent-length: ${length}\r\n\r\n${body}`,
  );
}
