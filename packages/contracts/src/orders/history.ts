import Type, { type Static } from 'typebox';
import { Moment, Nullable, Uuid } from '../fields.ts';
import { OrderView } from './api.ts';

const { orderId, status, publishFailed, updatedAt, cancellation, fulfillment } =
  OrderView.properties;

/** The data of an event of GET /api/orders/events and GET /api/orders/{orderId}/events. */
export const OrderChange = Type.Object({
  orderId,
  status,
  publishFailed,
  updatedAt,
  cancellation,
  fulfillment,
});
export type OrderChange = Static<typeof OrderChange>;

/** Query of GET /api/orders/events. */
export const OrderEventsQuery = Type.Object(
  {
    customerId: Type.Optional(
      Type.String({ minLength: 1, maxLength: 128, description: 'Only this customer’s orders' }),
    ),
  },
  { additionalProperties: false },
);
export type OrderEventsQuery = Static<typeof OrderEventsQuery>;

const timelineKinds = [
  'accepted',
  'published',
  'cancel_requested',
  'picked_up',
  'attempt',
  'retry_planned',
  'shipped',
  'failed',
  'cancelled',
] as const;

export const TimelineEntry = Type.Object({
  at: Moment('When it happened; of retry_planned, when it is planned for'),
  kind: Type.Enum([...timelineKinds], {
    description:
      'picked_up: filed by the Fulfillment Service; attempt: a call to the provider that did not ship it',
  }),
  reason: Type.Optional(Nullable(Type.String({ description: 'Of cancel_requested' }))),
  outcome: Type.Optional(
    Type.String({ description: 'Of attempt: unknown, not_sent, not_booked, misconfigured, …' }),
  ),
  error: Type.Optional(Nullable(Type.String({ description: 'Of attempt and failed' }))),
  durationMs: Type.Optional(Type.Integer({ description: 'Of attempt, which ended at `at`' })),
  trackingNumber: Type.Optional(Nullable(Type.String({ description: 'Of shipped' }))),
  carrier: Type.Optional(Nullable(Type.String({ description: 'Of shipped' }))),
});
export type TimelineEntry = Static<typeof TimelineEntry>;

/** Answer to GET /api/orders/{orderId}/timeline. */
export const Timeline = Type.Object({
  orderId: Uuid('The order'),
  published: Type.Boolean({
    description:
      'Whether the event OrderCreated has been published; when that was is known once the order is picked up',
  }),
  entries: Type.Array(TimelineEntry, {
    description:
      'Sorted by time. Of the failed attempts the last 20 are kept. Times are of different clocks',
  }),
});
export type Timeline = Static<typeof Timeline>;
