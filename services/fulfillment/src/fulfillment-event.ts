import {
  type FulfillmentEvent,
  type FulfillmentEventType,
  fulfillmentEventsTopic,
} from '@orders/contracts/fulfillment-events';
import { eventIdOf } from '@orders/platform/event-id';
import type { Decision, Held } from './fulfillment.ts';

/** What an event tells of a fulfillment. */
export type Told = Pick<
  Decision,
  'state' | 'sequence' | 'attempts' | 'dueMs' | 'shipment' | 'error' | 'failedAttempts'
>;

/** The event that tells a decision: it carries the whole fulfillment. */
export function toEvent(
  held: Pick<Held, 'orderId' | 'correlationId' | 'startedAt'>,
  decision: Told,
  eventType: FulfillmentEventType,
  now: Date,
): FulfillmentEvent {
  const { state, shipment, sequence, dueMs } = decision;
  return {
    eventType,
    schemaVersion: 1,
    eventId: eventIdOf(fulfillmentEventsTopic, held.orderId, sequence),
    orderId: held.orderId,
    sequence,
    occurredAt: now.toISOString(),
    metadata: metadataOf(held.correlationId),
    fulfillment: {
      status: state,
      trackingNumber: shipment?.trackingNumber ?? null,
      carrier: shipment?.carrier ?? null,
      shippedAt: shipment?.shippedAt ?? null,
      errorMessage: decision.error,
      attempts: decision.attempts,
      nextAttemptAt: dueMs === null ? null : new Date(now.getTime() + dueMs).toISOString(),
      failedAttempts: decision.failedAttempts,
      ...(held.startedAt !== undefined && { startedAt: held.startedAt }),
    },
  };
}

/** The event of a fulfillment that was just filed, sequence 1. */
export function startedEvent(orderId: string, correlationId: string | null, now: Date): FulfillmentEvent {
  return {
    eventType: 'FulfillmentStarted',
    schemaVersion: 1,
    eventId: eventIdOf(fulfillmentEventsTopic, orderId, 1),
    orderId,
    sequence: 1,
    occurredAt: now.toISOString(),
    metadata: metadataOf(correlationId),
    fulfillment: {
      status: 'Processing',
      trackingNumber: null,
      carrier: null,
      shippedAt: null,
      errorMessage: null,
      attempts: 0,
      nextAttemptAt: null,
      failedAttempts: [],
      startedAt: now.toISOString(),
    },
  };
}

const metadataOf = (correlationId: string | null) => ({
  source: 'FulfillmentService',
  ...(correlationId !== null && { correlationId }),
});
