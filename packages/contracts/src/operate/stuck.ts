import Type, { type Static } from 'typebox';
import { Moment, Nullable, Uuid } from '../fields.ts';

/** An order that exceeds the deadline of its state. */
export const StuckOrder = Type.Object({
  orderId: Uuid('The order'),
  state: Type.String({ description: 'Where it stands in this service' }),
  reason: Type.String({ description: 'What is missing; docs/operating.md says what to do' }),
  since: Moment('When it was found to be stuck'),
  ageSeconds: Type.Integer({ minimum: 0, description: 'Since the order was created' }),
});
export type StuckOrder = Static<typeof StuckOrder>;

/** Answer to GET /api/stuck. */
export const StuckPage = Type.Object({
  items: Type.Array(StuckOrder),
  nextPageToken: Nullable(Type.String({ description: 'Null on the last page' })),
});
export type StuckPage = Static<typeof StuckPage>;

/** Query of GET /api/stuck; `reasons` are those of the service. */
export const stuckQuery = (reasons: readonly string[]) =>
  Type.Object(
    {
      reason: Type.Optional(Type.Enum([...reasons], { description: 'Only with this reason' })),
      limit: Type.Integer({
        minimum: 1,
        maximum: 200,
        default: 50,
        description: 'Entries of a page',
      }),
      pageToken: Type.Optional(
        Type.String({ maxLength: 200, description: 'nextPageToken of the page before' }),
      ),
    },
    { additionalProperties: false },
  );
export type StuckQuery = Static<ReturnType<typeof stuckQuery>>;
