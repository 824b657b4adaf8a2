import { messageOf } from '../process/errors.ts';

const depthMax = 20;

/**
 * The error with its innermost reason in the message. The client's own errors say only "Connection
 * to … failed." where the password is wrong, a certificate is not trusted, or nobody listens.
 */
export function withReason(error: unknown): Error {
  const message = messageOf(error);
  const reason = messageOf(innermost(error));
  if (error instanceof Error && message.includes(reason)) return error;
  return new Error(`${message} ${reason}`, { cause: error });
}

function innermost(error: unknown): unknown {
  let inner = error;
  for (let depth = 0; depth < depthMax && inner instanceof Error; depth += 1) {
    const next: unknown =
      inner instanceof AggregateError ? (inner.errors[0] ?? inner.cause) : inner.cause;
    if (!(next instanceof Error)) break;
    inner = next;
  }
  return inner;
}
