/**
 * The one catalogue of errors that cross the HTTP edge or decide what a loop does next. Nothing
 * else than these codes reaches a client; the cause stays in the log.
 */
const catalogue = {
  invalid_json: { status: 400, title: 'The body is not valid JSON' },
  validation_failed: { status: 400, title: 'The request is not valid' },
  bad_request: { status: 400, title: 'The request is not valid HTTP' },
  unauthenticated: { status: 401, title: 'An API key is needed' },
  forbidden: { status: 403, title: 'The API key lacks the scope' },
  order_not_found: { status: 404, title: 'There is no such order' },
  fulfillment_not_found: { status: 404, title: 'There is no such fulfillment' },
  shipment_not_found: { status: 404, title: 'There is no such shipment' },
  dead_letter_not_found: { status: 404, title: 'There is no such dead letter' },
  route_not_found: { status: 404, title: 'There is no such route' },
  method_not_allowed: { status: 405, title: 'The route does not know this method' },
  request_timeout: { status: 408, title: 'The request took too long to arrive' },
  idempotency_in_progress: {
    status: 409,
    title: 'The first request with this Idempotency-Key is still running',
  },
  order_final: { status: 409, title: 'The order is final' },
  dead_letter_resolved: { status: 409, title: 'The dead letter is resolved already' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used with other content' },
  dead_letter_unreadable: { status: 422, title: 'The value cannot be handled' },
  shipment_refused: { status: 422, title: 'The shipment is refused' },
  rate_limited: { status: 429, title: 'Too many requests' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  overloaded: { status: 503, title: 'Too many requests are waiting' },
  store_unavailable: { status: 503, title: 'The database cannot be reached' },
  internal_error: { status: 503, title: 'The request could not be carried out' },
  provider_unavailable: { status: 503, title: 'The provider takes no shipments now' },
} as const;

export type ErrorCode = keyof typeof catalogue;

export type FaultPlace =
  | { pointer: string; detail: string }
  | { parameter: string; detail: string };

/**
 * An error with a code of the catalogue. `detail` is shown to the client, `cause` only to the log.
 */
export class CodedError extends Error {
  readonly code: ErrorCode;
  readonly errors: FaultPlace[] | undefined;
  readonly retryAfterSeconds: number | undefined;
  constructor(
    code: ErrorCode,
    detail: string,
    more: { cause?: unknown; errors?: FaultPlace[]; retryAfterSeconds?: number } = {},
  ) {
    super(detail, { cause: more.cause });
    this.name = 'CodedError';
    this.code = code;
    this.errors = more.errors;
    this.retryAfterSeconds =
      more.retryAfterSeconds ?? (catalogue[code].status === 503 ? 1 : undefined);
  }
  get status(): number {
    return catalogue[this.code].status;
  }
}

export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  requestId: string;
  errors?: FaultPlace[];
};

/** The error as a problem document (RFC 9457). */
export function toProblem(error: CodedError, requestId: string): Problem {
  const { status, title } = catalogue[error.code];
  const problem: Problem = {
    type: `urn:problem:${error.code}`,
    title,
    status,
    detail: error.message,
    code: error.code,
    requestId,
  };
  if (error.errors !== undefined) problem.errors = error.errors;
  return problem;
}

/** What an unknown error says, in one line; never throws, whatever was thrown. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return messageOf(error.errors[0]);
  if (error instanceof Error) return error.message === '' ? error.name : error.message;
  return typeof error === 'string' ? error : Object.prototype.toString.call(error);
}

/** The `code` of a system, driver or library error (ECONNREFUSED, 23505, …), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (error === null || typeof error !== 'object' || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}
