import type { FulfillmentEvent } from '@orders/contracts/fulfillments/events';

type Fulfillment = FulfillmentEvent['fulfillment'];
export type Status = Fulfillment['status'];

/** A fulfillment event as the Fulfillment Service publishes it. */
export const fulfillmentEvent = (
  orderId: string,
  sequence: number,
  status: Status,
  more: Partial<Fulfillment> & Record<string, unknown> = {},
): FulfillmentEvent => ({
  eventType: sequence === 1 ? 'FulfillmentStarted' : 'FulfillmentRetrying',
  orderId,
  sequence,
  occurredAt: new Date().toISOString(),
  fulfillment: {
    status,
    trackingNumber: null,
    carrier: null,
    shippedAt: null,
    errorMessage: null,
    attempts: 1,
    nextAttemptAt: null,
    failedAttempts: [],
    ...more,
  },
});
