import { type ErrorCode, errorCatalogue } from '@orders/contracts/problem';

/** Where a fault of a request is: a pointer into the body (RFC 6901), or a named parameter. */
export type FaultPlace =
  | { pointer: string; detail: string }
  | { parameter: string; detail: string };

/**
 * An error with a code of the catalogue. The client sees `detail`; `cause` goes to the log only.
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
    this.retryAfterSeconds = more.retryAfterSeconds ?? (this.status === 503 ? 1 : undefined);
  }
  get status(): number {
    return errorCatalogue[this.code].status;
  }
}

/** The message of any thrown value, in one line; never throws. */
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
