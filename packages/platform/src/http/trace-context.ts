import type { IncomingHttpHeaders } from 'node:http';

const correlationId = /^[ -~]{1,128}$/;
const traceparent = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

/**
 * The caller's X-Correlation-Id where it is 1 to 128 printable ASCII characters, else the request's
 * id.
 */
export function correlationIdOf(headers: IncomingHttpHeaders, requestId: string): string {
  const given = headers['x-correlation-id'];
  return typeof given === 'string' && correlationId.test(given) ? given : requestId;
}

/** The caller's W3C trace context where it is valid, else null. */
export function traceparentOf(headers: IncomingHttpHeaders): string | null {
  const given = headers.traceparent;
  return typeof given === 'string' && traceparent.test(given) ? given : null;
}
