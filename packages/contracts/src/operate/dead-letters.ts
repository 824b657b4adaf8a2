import Type, { type Static } from 'typebox';
import { Moment, Nullable, VisibleText } from '../fields.ts';

const place = {
  topic: Type.String(),
  partition: Type.Integer({ minimum: 0 }),
  offset: Type.String({ description: 'A 64-bit integer, so a text' }),
};

/** What became of a dead letter. */
const DeadLetterResolution = Type.Object({
  kind: Type.Enum(['replayed', 'corrected', 'discarded'], {
    description: 'replayed as it was, replayed with a corrected value, or given up',
  }),
  operator: Type.String(),
  at: Moment('When'),
  reason: Nullable(Type.String()),
});

/** An event that cannot be handled, without its bytes. */
export const DeadLetterEntry = Type.Object({
  id: Type.String({ description: 'topic:partition:offset' }),
  ...place,
  key: Nullable(Type.String()),
  reason: Type.String({ description: 'Why it cannot be handled' }),
  at: Moment('When it was found'),
  sizeBytes: Type.Integer({ minimum: 0 }),
  resolution: Nullable(DeadLetterResolution),
});
export type DeadLetterEntry = Static<typeof DeadLetterEntry>;

/** Answer to GET /api/dead-letters/{id}. */
export const DeadLetterDetail = Type.Interface([DeadLetterEntry], {
  encoding: Type.Enum(['utf8', 'base64'], { description: 'How `value` stands for the bytes' }),
  value: Type.String({ description: 'The bytes as they came: as text where they are valid UTF-8' }),
  headers: Type.Record(Type.String(), Type.String()),
});
export type DeadLetterDetail = Static<typeof DeadLetterDetail>;

/** Query of GET /api/dead-letters. */
export const DeadLetterQuery = Type.Object(
  {
    topic: Type.Optional(
      Type.String({ minLength: 1, maxLength: 249, description: 'Only of this topic' }),
    ),
    resolved: Type.Optional(
      Type.Boolean({ description: 'Only those that are resolved, or only those that are not' }),
    ),
    limit: Type.Integer({
      minimum: 1,
      maximum: 200,
      default: 50,
      description: 'Entries of a page',
    }),
    pageToken: Type.Optional(
      Type.String({ maxLength: 500, description: 'nextPageToken of the page before' }),
    ),
  },
  { additionalProperties: false },
);
export type DeadLetterQuery = Static<typeof DeadLetterQuery>;

/** Answer to GET /api/dead-letters. */
export const DeadLetterPage = Type.Object({
  items: Type.Array(DeadLetterEntry),
  nextPageToken: Nullable(Type.String({ description: 'Null on the last page' })),
});
export type DeadLetterPage = Static<typeof DeadLetterPage>;

export const DeadLetterPath = Type.Object({
  id: Type.String({
    pattern: '^[a-zA-Z0-9._-]{1,249}:[0-9]{1,10}:[0-9]{1,19}$',
    'x-fault': 'must be topic:partition:offset',
    description: 'topic:partition:offset',
  }),
});
export type DeadLetterPath = Static<typeof DeadLetterPath>;

/** Body of POST /api/dead-letters/{id}/replay; may be left out. */
export const DeadLetterReplay = Type.Object(
  {
    value: Type.Optional(
      Type.Unknown({
        description:
          'Any JSON: the event as it should have been. Without it the bytes go as they came',
      }),
    ),
    reason: Type.Optional(VisibleText(500, 'Why; it is recorded')),
  },
  { additionalProperties: false, examples: [{ reason: 'The database takes it again' }] },
);
export type DeadLetterReplay = Static<typeof DeadLetterReplay>;

/** Body of POST /api/dead-letters/{id}/discard. */
export const DeadLetterDiscard = Type.Object(
  { reason: VisibleText(500, 'Why; it is recorded') },
  { additionalProperties: false, examples: [{ reason: 'Sent by a test' }] },
);
export type DeadLetterDiscard = Static<typeof DeadLetterDiscard>;
