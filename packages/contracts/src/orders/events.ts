import Type, { type Static } from 'typebox';

export const orderEventsTopic = 'order-events';

const Metadata = Type.Optional(
  Type.Object({
    source: Type.Optional(Type.String()),
    correlationId: Type.Optional(Type.String()),
  }),
);

/**
 * What a reader of `order-events` demands of an OrderCreated: only what the first published schema
 * had. The API's limits do not bind readers, unknown properties are welcome.
 */
export const OrderCreated = Type.Object({
  eventType: Type.Literal('OrderCreated'),
  schemaVersion: Type.Optional(Type.Integer()),
  eventId: Type.Optional(Type.String()),
  orderId: Type.String(),
  sequence: Type.Optional(Type.Integer()),
  customer: Type.Object({ customerId: Type.String(), name: Type.String() }),
  currency: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  items: Type.Array(
    Type.Object({
      productId: Type.String(),
      quantity: Type.Integer(),
      unitPrice: Type.Optional(Type.Union([Type.Number(), Type.Null()])),
    }),
    { minItems: 1 },
  ),
  createdAt: Type.String({ format: 'date-time' }),
  metadata: Metadata,
});
export type OrderCreated = Static<typeof OrderCreated>;

/**
 * A customer wants an order no more. The Fulfillment Service decides; it may come before its
 * OrderCreated.
 */
export const OrderCancellationRequested = Type.Object({
  eventType: Type.Literal('OrderCancellationRequested'),
  schemaVersion: Type.Optional(Type.Integer()),
  eventId: Type.Optional(Type.String()),
  orderId: Type.String(),
  sequence: Type.Optional(Type.Integer()),
  reason: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  requestedAt: Type.Optional(Type.String({ format: 'date-time' })),
  metadata: Metadata,
});
export type OrderCancellationRequested = Static<typeof OrderCancellationRequested>;
