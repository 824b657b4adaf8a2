import Type, { type Static } from 'typebox';
import { FulfillmentView } from '../orders/api.ts';

export const fulfillmentEventsTopic = 'fulfillment-events';

export const fulfillmentEventTypes = [
  'FulfillmentStarted',
  'FulfillmentRetrying',
  'OrderFulfilled',
  'OrderFailed',
  'OrderCancelled',
] as const;
export type FulfillmentEventType = (typeof fulfillmentEventTypes)[number];

export const FailedAttempt = Type.Object({
  at: Type.String({ format: 'date-time', description: 'When it ended' }),
  outcome: Type.String({
    description: 'unknown, not_sent, put_off, not_booked, misconfigured, refused, …',
  }),
  error: Type.String(),
  durationMs: Type.Integer({ minimum: 0 }),
});
export type FailedAttempt = Static<typeof FailedAttempt>;

/**
 * The complete state of a fulfillment: a reader replaces what it has when `sequence` is newer, and
 * never merges.
 */
export const FulfillmentEvent = Type.Object({
  eventType: Type.Enum([...fulfillmentEventTypes]),
  schemaVersion: Type.Optional(Type.Integer()),
  eventId: Type.Optional(Type.String()),
  orderId: Type.String(),
  // A greater one could not be stored, and would stand in for the good events of its batch before
  // it is buried.
  sequence: Type.Integer({
    minimum: 1,
    maximum: 2_147_483_647,
    description: 'Counts per order from 1',
  }),
  occurredAt: Type.String({ format: 'date-time' }),
  metadata: Type.Optional(
    Type.Object({
      source: Type.Optional(Type.String()),
      correlationId: Type.Optional(Type.String()),
    }),
  ),
  fulfillment: Type.Interface([FulfillmentView], {
    failedAttempts: Type.Array(FailedAttempt, { description: 'The last 20 failed attempts' }),
    publishedAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'When the event was published that the order came with',
      }),
    ),
    startedAt: Type.Optional(
      Type.String({
        format: 'date-time',
        description: 'When the Fulfillment Service filed the order',
      }),
    ),
  }),
});
export type FulfillmentEvent = Static<typeof FulfillmentEvent>;
