import Type, { type Static } from 'typebox';
import { Moment, Nullable, Uuid, VisibleText } from '../fields.ts';
import { FulfillmentView } from '../orders/api.ts';
import { FailedAttempt } from './events.ts';

const State = FulfillmentView.properties.status;
export type FulfillmentState = Static<typeof State>;

/** An order as the Fulfillment Service keeps it. */
export const FulfillmentEntry = Type.Object({
  orderId: Uuid('The order'),
  state: State,
  attempts: FulfillmentView.properties.attempts,
  errorMessage: FulfillmentView.properties.errorMessage,
  trackingNumber: FulfillmentView.properties.trackingNumber,
  carrier: FulfillmentView.properties.carrier,
  shippedAt: FulfillmentView.properties.shippedAt,
  createdAt: Moment('When the order was accepted'),
  filedAt: Moment('When the Fulfillment Service filed it'),
  updatedAt: Moment('When an outcome was last written'),
  dueAt: Nullable(Moment('When it is taken up next; null when it is final or in hand')),
  isHeld: Type.Boolean({ description: 'It waits for a verdict of an operator' }),
  isGivenUp: Type.Boolean({ description: 'An operator has given it up' }),
  isAttemptOpen: Type.Boolean({
    description: 'An attempt was begun whose outcome is not known: the shipment may exist',
  }),
  cancelRequestedAt: Nullable(Moment('When a request to cancel it was filed')),
});
export type FulfillmentEntry = Static<typeof FulfillmentEntry>;

/** Answer to GET /api/fulfillments. */
export const FulfillmentPage = Type.Object({
  items: Type.Array(FulfillmentEntry),
  nextPageToken: Nullable(
    Type.String({ description: 'Null on the last page; a page may be short before that' }),
  ),
});
export type FulfillmentPage = Static<typeof FulfillmentPage>;

const pageToken = Type.Optional(
  Type.String({ maxLength: 200, description: 'nextPageToken of the page before' }),
);

/** Query of GET /api/fulfillments. */
export const FulfillmentListQuery = Type.Object(
  {
    state: Type.Optional(State),
    limit: Type.Integer({
      minimum: 1,
      maximum: 200,
      default: 50,
      description: 'Entries of a page',
    }),
    pageToken,
  },
  { additionalProperties: false },
);
export type FulfillmentListQuery = Static<typeof FulfillmentListQuery>;

export const FulfillmentPath = Type.Object({ orderId: Uuid('The order') });
export type FulfillmentPath = Static<typeof FulfillmentPath>;

/** Answer to GET /api/fulfillments/{orderId}. */
export const FulfillmentDetail = Type.Interface([FulfillmentEntry], {
  sequence: Type.Integer({ description: 'Of its last fulfillment event' }),
  failedAttempts: Type.Array(FailedAttempt, {
    description: 'The last 20 failed attempts, oldest first',
  }),
  lease: Nullable(
    Type.Object({
      claimedBy: Type.String({ description: 'The instance that has it in hand' }),
      leaseUntil: Moment('Afterwards any instance may take it up'),
    }),
  ),
  retriedAt: Nullable(Moment('When an operator last retried it')),
  source: Type.Object(
    { topic: Type.String(), partition: Type.Integer(), offset: Type.String() },
    { description: 'The event that it was filed from' },
  ),
  recipient: Type.Object({ customerId: Type.String(), name: Type.String() }),
  items: Type.Array(Type.Object({ productId: Type.String(), quantity: Type.Integer() })),
  correlationId: Nullable(Type.String()),
});
export type FulfillmentDetail = Static<typeof FulfillmentDetail>;

const RetryFilter = Type.Object(
  {
    state: Type.Enum(['Failed', 'Retrying']),
    errorContains: Type.Optional(
      VisibleText(200, 'Only with this in the last error, in any letter case'),
    ),
    createdFrom: Type.Optional(Moment('Only orders created at this time or later')),
    createdTo: Type.Optional(Moment('Only orders created at this time or earlier')),
  },
  { additionalProperties: false, description: 'Oldest first' },
);
export type RetryFilter = Static<typeof RetryFilter>;

/** Body of POST /api/fulfillments/retry: either `orderIds` or `filter`. */
export const RetryRequest = Type.Object(
  {
    orderIds: Type.Optional(Type.Array(Uuid('An order'), { minItems: 1, maxItems: 1_000 })),
    filter: Type.Optional(RetryFilter),
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
    dryRun: Type.Boolean({ default: false, description: 'Only list what would be done' }),
    ratePerSecond: Type.Number({
      minimum: 0.1,
      maximum: 1_000,
      default: 10,
      description: 'Orders of this request that become due in a second',
    }),
    reason: VisibleText(500, 'Why; it is recorded'),
  },
  {
    additionalProperties: false,
    description: 'Either orderIds or filter',
    examples: [
      {
        orderIds: ['01a20122-894d-72be-9815-226988e6797c'],
        dryRun: true,
        reason: 'The address was corrected',
      },
    ],
  },
);
export type RetryRequest = Static<typeof RetryRequest>;

/** Body of POST /api/fulfillments/{orderId}/verdict. */
export const Verdict = Type.Object(
  {
    verdict: Type.Enum(['booked', 'not_booked', 'given_up'], {
      description:
        'booked: the provider has the shipment, the order is Shipped; not_booked: it has none, the order is sent again; given_up: the order is Failed for good, no filter matches it any more',
    }),
    trackingNumber: Type.Optional(VisibleText(500, 'Of the shipment; needed for booked only')),
    carrier: Type.Optional(VisibleText(500, 'Of the shipment')),
    reason: VisibleText(500, 'Why; it is recorded'),
  },
  {
    additionalProperties: false,
    // Refused as it stands: sending the example must not end an order.
    examples: [{ verdict: 'CHOOSE_ONE', reason: 'The provider says so on the telephone' }],
  },
);
export type Verdict = Static<typeof Verdict>;

const RetryTouched = Type.Object({
  orderId: Uuid('The order'),
  state: Type.Enum(['Failed', 'Retrying'], { description: 'Before this request' }),
  attempts: Type.Integer({ minimum: 0 }),
  lastError: Nullable(Type.String()),
  whatHappened: Type.String({ description: 'For people: what has already been done about it' }),
  whatFollows: Type.String({ description: 'For people: what is done about it next' }),
  dueAt: Moment('When it is taken up'),
});
export type RetryTouched = Static<typeof RetryTouched>;

const RetrySkipped = Type.Object({ orderId: Uuid('The order'), why: Type.String() });
export type RetrySkipped = Static<typeof RetrySkipped>;

/** Answer to POST /api/fulfillments/retry. */
export const RetryAnswer = Type.Object({
  dryRun: Type.Boolean(),
  matched: Type.Integer({ minimum: 0, description: 'Fulfillments found, touched or skipped' }),
  touched: Type.Array(RetryTouched, { description: 'In the order in which they become due' }),
  skipped: Type.Array(RetrySkipped),
  more: Type.Boolean({ description: 'The filter has not seen all: ask again with pageToken' }),
  nextPageToken: Nullable(Type.String({ description: 'Null where there is no more' })),
});
export type RetryAnswer = Static<typeof RetryAnswer>;
