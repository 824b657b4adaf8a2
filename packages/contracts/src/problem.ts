import Type, { type Static } from 'typebox';

/** Every error of every service (RFC 9457), as application/problem+json. */
export const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String(),
  code: Type.String({ description: 'Stable; what a program decides by' }),
  requestId: Type.String({ description: 'Stands in the log of the service' }),
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

/** The error answers of a route, for its page. */
export function problems(...statuses: number[]): Record<number, object> {
  const content = { 'application/problem+json': { schema: Problem } };
  return Object.fromEntries(
    statuses.map((status) => [status, { description: 'Problem', content }]),
  );
}
