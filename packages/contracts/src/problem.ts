import Type, { type Static } from 'typebox';

/**
 * Every error that an HTTP API answers with. A client decides by the code; the detail of an answer
 * is for people. Nothing of a driver or a stack ever reaches a client.
 */
export const errorCatalogue = {
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
  verdict_impossible: { status: 409, title: 'The fulfillment does not wait for a verdict' },
  order_final: { status: 409, title: 'The order is final' },
  dead_letter_resolved: { status: 409, title: 'The dead letter is resolved already' },
  body_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body is not plain application/json' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key was used with other content' },
  dead_letter_unreadable: { status: 422, title: 'The value cannot be handled' },
  shipment_refused: { status: 422, title: 'The shipment is refused' },
  rate_limited: { status: 429, title: 'Too many requests' },
  headers_too_large: { status: 431, title: 'The headers are too large' },
  overloaded: { status: 503, title: 'Too many requests are waiting' },
  store_unavailable: { status: 503, title: 'The database cannot be reached' },
  stopping: { status: 503, title: 'The process is stopping' },
  internal_error: { status: 503, title: 'The request could not be carried out' },
  provider_unavailable: { status: 503, title: 'The provider takes no shipments now' },
} as const;

export type ErrorCode = keyof typeof errorCatalogue;

const codes = Object.keys(errorCatalogue) as ErrorCode[];

/** Every error of every service (RFC 9457), as application/problem+json. */
export const Problem = Type.Object({
  type: Type.String({ description: 'urn:problem: and the code' }),
  title: Type.String({ description: 'The same for every error with this code' }),
  status: Type.Integer({ description: 'The HTTP status' }),
  detail: Type.String({ description: 'What is wrong with this request, for people' }),
  code: Type.Enum(codes, { description: 'Stable: a program decides by it' }),
  requestId: Type.String({ description: 'The log of the service has the same id' }),
  errors: Type.Optional(
    Type.Array(
      Type.Object({
        pointer: Type.Optional(Type.String({ description: 'Place in the body (RFC 6901)' })),
        parameter: Type.Optional(Type.String({ description: 'Query, path or header parameter' })),
        detail: Type.String(),
      }),
      { description: 'Every fault at once, at most 100' },
    ),
  ),
});
export type Problem = Static<typeof Problem>;

/** The error answers of a route, for its OpenAPI document. */
export function problems(...statuses: number[]): Record<number, object> {
  const content = { 'application/problem+json': { schema: Problem } };
  return Object.fromEntries(
    statuses.map((status) => [status, { description: 'Problem', content }]),
  );
}
