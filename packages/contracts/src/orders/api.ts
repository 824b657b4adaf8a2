// Station 2 of 9: validate. From the request (1) comes a parsed body; what keeps to `NewOrder` goes
// on to be placed (3), every fault of what does not goes back as 400.
import Type, { type Static } from 'typebox';
import { Moment, Nullable, Uuid, VisibleText } from '../fields.ts';

export const orderStatuses = [
  'Created',
  'Pending',
  'Processing',
  'Retrying',
  'Shipped',
  'Failed',
  'Cancelled',
] as const;
export type OrderStatus = (typeof orderStatuses)[number];
const Status = Type.Enum([...orderStatuses], { description: 'Where the order stands' });

export const OrderItem = Type.Object(
  {
    productId: VisibleText(128, 'The product'),
    quantity: Type.Integer({ minimum: 1, maximum: 1_000_000, description: 'How many' }),
    unitPrice: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 1_000_000_000,
        'x-maxDecimals': 4,
        description:
          'Price of one, with at most 4 decimals in its shortest decimal form; kept exactly',
      }),
    ),
  },
  { additionalProperties: false },
);
export type OrderItem = Static<typeof OrderItem>;

/** Body of POST /api/orders. */
export const NewOrder = Type.Object(
  {
    customerId: VisibleText(128, 'The customer'),
    customerName: VisibleText(200, "The customer's name"),
    currency: Type.Optional(
      Type.String({
        pattern: '^[A-Z]{3}$',
        'x-fault': 'must be three upper-case letters',
        description: 'ISO 4217',
      }),
    ),
    items: Type.Array(OrderItem, { minItems: 1, maxItems: 1_000, description: 'What is ordered' }),
  },
  {
    additionalProperties: false,
    examples: [
      {
        customerId: 'customer-123',
        customerName: 'John Doe',
        currency: 'EUR',
        items: [{ productId: 'product-456', quantity: 2, unitPrice: 19.99 }],
      },
    ],
  },
);
export type NewOrder = Static<typeof NewOrder>;

/** Answer to POST /api/orders. */
export const PlacedOrder = Type.Object({
  orderId: Uuid('The new order'),
  status: Type.Enum(['Created', 'Pending']),
});
export type PlacedOrder = Static<typeof PlacedOrder>;

/** What is known of the shipping of an order. */
export const FulfillmentView = Type.Object({
  status: Type.Enum(['Processing', 'Retrying', 'Shipped', 'Failed', 'Cancelled']),
  trackingNumber: Nullable(Type.String()),
  carrier: Nullable(Type.String()),
  shippedAt: Nullable(Moment('When the provider booked it')),
  errorMessage: Nullable(
    Type.String({ description: 'Why the last attempt failed; null once shipped' }),
  ),
  attempts: Type.Integer({ minimum: 0, description: 'Calls to the provider that were begun' }),
  nextAttemptAt: Nullable(Moment('When it is tried again')),
});
export type FulfillmentView = Static<typeof FulfillmentView>;

const Cancellation = Type.Object({
  requestedAt: Moment('When it was asked for'),
  outcome: Nullable(
    Type.Enum(['cancelled', 'too_late'], { description: 'Null until the order is final' }),
  ),
});
export type Cancellation = Static<typeof Cancellation>;

const shared = {
  orderId: Uuid('The order'),
  status: Status,
  publishFailed: Type.Boolean({
    description: 'Its event could not be published yet; cleared as soon as it is',
  }),
  customerId: Type.String(),
  customerName: Type.String(),
  currency: Nullable(Type.String()),
};
const sharedEnd = {
  total: Nullable(Type.String({ description: 'Exact decimal; null where an item has no price' })),
  createdAt: Moment('When it was accepted'),
  updatedAt: Moment('When it last changed'),
  cancellation: Nullable(Cancellation),
  fulfillment: Nullable(FulfillmentView),
};

/** Answer to GET /api/orders/{orderId}. */
export const OrderView = Type.Object({ ...shared, items: Type.Array(OrderItem), ...sharedEnd });
export type OrderView = Static<typeof OrderView>;

export const OrderListEntry = Type.Object({ ...shared, itemCount: Type.Integer(), ...sharedEnd });
export type OrderListEntry = Static<typeof OrderListEntry>;

/** Answer to GET /api/orders. */
export const OrderPage = Type.Object({
  items: Type.Array(OrderListEntry),
  nextPageToken: Nullable(
    Type.String({ description: 'Null on the last page; a page may be short before that' }),
  ),
});
export type OrderPage = Static<typeof OrderPage>;

/** Query of GET /api/orders. */
export const OrderListQuery = Type.Object(
  {
    status: Type.Optional(Status),
    customerId: Type.Optional(VisibleText(128, 'Only orders of this customer')),
    createdFrom: Type.Optional(Moment('Only orders created at this time or later')),
    createdTo: Type.Optional(Moment('Only orders created at this time or earlier')),
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
export type OrderListQuery = Static<typeof OrderListQuery>;

export const OrderPath = Type.Object({ orderId: Uuid('The order') });
export type OrderPath = Static<typeof OrderPath>;

/** Query of GET /api/orders/{orderId}. */
export const OrderWaitQuery = Type.Object(
  {
    waitFor: Type.Optional(
      Type.Enum([...orderStatuses], {
        description:
          'Answer when the order has this status, or can no longer reach it (it is further on, or final in another way), or the time is up; 200 in each case',
      }),
    ),
    timeoutSeconds: Type.Number({
      minimum: 0,
      maximum: 60,
      default: 10,
      description: 'How long to wait at most',
    }),
  },
  { additionalProperties: false },
);
export type OrderWaitQuery = Static<typeof OrderWaitQuery>;

/** Body of POST /api/orders/{orderId}/cancel; may be left out. */
export const CancelOrder = Type.Object(
  { reason: Type.Optional(VisibleText(500, 'Why; travels with the event')) },
  { additionalProperties: false, examples: [{ reason: 'Ordered twice by mistake' }] },
);
export type CancelOrder = Static<typeof CancelOrder>;

const correlationId = Type.Optional(
  Type.String({
    description:
      '1 to 128 printable ASCII characters; travels with the order; anything else is ignored',
  }),
);

/** Headers of POST /api/orders/{orderId}/cancel. */
export const CancelOrderHeaders = Type.Object({ 'x-correlation-id': correlationId });

/** Headers that change what POST /api/orders does. */
export const PlaceOrderHeaders = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      pattern: '^[ -~]{1,255}$',
      'x-fault': 'must be 1 to 255 printable ASCII characters',
      description:
        'The same key with the same content gives the first answer again instead of a second order',
    }),
  ),
  'x-correlation-id': correlationId,
});
export type PlaceOrderHeaders = Static<typeof PlaceOrderHeaders>;
