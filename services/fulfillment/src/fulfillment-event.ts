import {
  type FulfillmentEvent,
  type FulfillmentEventType,
  fulfillmentEventsTopic,
} from '@orders/contracts/fulfillments/events';
import { eventIdOf } from '@orders/platform/messaging/event-id';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import type { Claimed, Decision } from './fulfillment.ts';

/** The facts of a fulfillment that its events carry. */
export type FulfillmentFacts = Pick<
  Decision,
  'state' | 'sequence' | 'attempts' | 'dueMs' | 'shipment' | 'error' | 'failedAttempts'
> & { isHeld?: boolean };

/** The event of a decision: it carries the whole fulfillment. */
export function toEvent(
  claimed: Pick<Claimed, 'orderId' | 'correlationId' | 'publishedAt' | 'startedAt'>,
  decision: FulfillmentFacts,
  eventType: FulfillmentEventType,
  now: Date,
): FulfillmentEvent {
  const { state, shipment, sequence, dueMs } = decision;
  return {
    eventType,
    schemaVersion: 1,
    eventId: eventIdOf(fulfillmentEventsTopic, claimed.orderId, sequence),
    orderId: claimed.orderId,
    sequence,
    occurredAt: now.toISOString(),
    metadata: metadataOf(claimed.correlationId),
    fulfillment: {
      status: state,
      trackingNumber: shipment?.trackingNumber ?? null,
      carrier: shipment?.carrier ?? null,
      shippedAt: shipment?.shippedAt ?? null,
      errorMessage: decision.error,
      attempts: decision.attempts,
      // What waits for an operator has no next attempt, only look-ups.
      nextAttemptAt:
        dueMs === null || decision.isHeld ? null : new Date(now.getTime() + dueMs).toISOString(),
      failedAttempts: decision.failedAttempts,
      ...(typeof claimed.publishedAt === 'string' && { publishedAt: claimed.publishedAt }),
      ...(claimed.startedAt !== undefined && { startedAt: claimed.startedAt }),
    },
  };
}

/** The event of a fulfillment that was just filed, sequence 1. */
export function startedEvent(
  orderId: string,
  correlationId: string | null,
  now: Date,
  publishedAt: Date | null,
): FulfillmentEvent {
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
      ...(publishedAt !== null && { publishedAt: publishedAt.toISOString() }),
      startedAt: now.toISOString(),
    },
  };
}

/** Times as events carry them. */
export function momentsOf(row: { publishedAt: Date | null; startedAt: Date }) {
  return {
    publishedAt: row.publishedAt?.toISOString() ?? null,
    startedAt: row.startedAt.toISOString(),
  };
}

/** The outbox row of an event. */
export function toOutboxRow(
  event: FulfillmentEvent,
  trace: { correlationId: string | null; traceparent: string | null },
): OutboxRow {
  const { orderId, sequence, eventId = '', eventType } = event;
  return {
    topic: fulfillmentEventsTopic,
    key: orderId,
    sequence,
    eventId,
    eventType,
    payload: JSON.stringify(event),
    correlationId: trace.correlationId,
    traceparent: trace.traceparent,
  };
}

const metadataOf = (correlationId: string | null) => ({
  source: 'FulfillmentService',
  ...(correlationId !== null && { correlationId }),
});
