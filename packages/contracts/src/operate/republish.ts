import Type, { type Static, type TProperties } from 'typebox';
import { Moment, Nullable, Uuid, VisibleText } from '../fields.ts';
import { FulfillmentView, orderStatuses } from '../orders/api.ts';

const window = {
  olderThanSeconds: Type.Optional(
    Type.Number({
      minimum: 0,
      maximum: 31_536_000,
      description: 'Only what has not changed for at least this long',
    }),
  ),
  createdFrom: Type.Optional(
    Moment('Only orders created at this time or later, by the time in their id (UUIDv7)'),
  ),
  createdTo: Type.Optional(
    Moment('Only orders created at this time or earlier, by the time in their id (UUIDv7)'),
  ),
};

const filterOf = <P extends TProperties>(properties: P) =>
  Type.Object(
    { ...properties, ...window },
    { additionalProperties: false, description: 'Newest orders first' },
  );

/** What the Order Service selects its orders by. */
export const OrderRepublishFilter = filterOf({
  status: Type.Enum([...orderStatuses], { description: 'Where the order stands' }),
});
/** What the Fulfillment Service selects its fulfillments by. */
export const FulfillmentRepublishFilter = filterOf({ state: FulfillmentView.properties.status });
export type RepublishFilter = {
  olderThanSeconds?: number;
  createdFrom?: string;
  createdTo?: string;
};

/** Body of POST /api/events/republish: either `orderIds` or `filter`. */
export const republishRequest = <F extends Type.TSchema>(filter: F) =>
  Type.Object(
    {
      orderIds: Type.Optional(Type.Array(Uuid('An order'), { minItems: 1, maxItems: 1_000 })),
      filter: Type.Optional(filter),
      limit: Type.Integer({
        minimum: 1,
        maximum: 1_000,
        default: 1_000,
        description: 'Orders of a filter at most',
      }),
      pageToken: Type.Optional(
        Type.String({
          maxLength: 200,
          description: 'nextPageToken of the answer before, with the same filter',
        }),
      ),
      ratePerSecond: Type.Number({
        minimum: 0.1,
        maximum: 1_000,
        default: 10,
        description: 'Events of this request that are sent in a second',
      }),
      dryRun: Type.Boolean({ default: false, description: 'Only list what would be sent' }),
      reason: VisibleText(500, 'Why; it is recorded'),
    },
    {
      additionalProperties: false,
      description: 'Either orderIds or filter',
      examples: [
        {
          orderIds: ['01a20122-894d-72be-9815-226988e6797c'],
          dryRun: true,
          reason: 'A topic lost its events',
        },
      ],
    },
  );
export type RepublishRequest<F> = Omit<Static<ReturnType<typeof republishRequest>>, 'filter'> & {
  filter?: F;
};

const RepublishedEvent = Type.Object({
  eventType: Type.String(),
  sequence: Type.Integer({ minimum: 1 }),
  eventId: Uuid('The same as of every other copy'),
  sendAt: Nullable(
    Moment('Sent at this time or soon after; null where the event waits to be sent anyway'),
  ),
});

/** Answer to POST /api/events/republish. */
export const RepublishAnswer = Type.Object({
  dryRun: Type.Boolean(),
  touched: Type.Array(
    Type.Object({
      orderId: Uuid('The order'),
      state: Type.String({ description: 'Where it stands in this service' }),
      events: Type.Array(RepublishedEvent),
    }),
    { description: 'By order id, which is the order of sending' },
  ),
  skipped: Type.Array(Type.Object({ orderId: Uuid('The order'), why: Type.String() })),
  more: Type.Boolean({ description: 'The filter has not seen all: ask again with pageToken' }),
  nextPageToken: Nullable(
    Type.String({ description: 'Null where there is no more; a page may be empty before that' }),
  ),
});
export type RepublishAnswer = Static<typeof RepublishAnswer>;
