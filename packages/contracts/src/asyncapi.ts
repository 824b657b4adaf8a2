import { FulfillmentEvent, fulfillmentEventsTopic } from './fulfillments/events.ts';
import { OrderCancellationRequested, OrderCreated, orderEventsTopic } from './orders/events.ts';

const headers = {
  type: 'object',
  properties: {
    'event-id': { type: 'string', format: 'uuid' },
    'event-type': { type: 'string' },
    'content-type': { const: 'application/json' },
    traceparent: { type: 'string' },
  },
};

const message = (name: string, payload: object) => ({
  name,
  contentType: 'application/json',
  headers,
  payload,
});

/** The events of both topics (AsyncAPI 3.0), made from the schemas that the readers use. */
export const asyncApi = {
  asyncapi: '3.0.0',
  info: {
    title: 'Order pipeline events',
    version: '1.0.0',
    description:
      'JSON, key = orderId, at least once. Every copy of an event has the same eventId; `sequence` counts per order and topic from 1, and readers go by it.',
  },
  channels: {
    orderEvents: {
      address: orderEventsTopic,
      messages: {
        OrderCreated: message('OrderCreated', OrderCreated),
        OrderCancellationRequested: message(
          'OrderCancellationRequested',
          OrderCancellationRequested,
        ),
      },
    },
    fulfillmentEvents: {
      address: fulfillmentEventsTopic,
      messages: { FulfillmentEvent: message('FulfillmentEvent', FulfillmentEvent) },
    },
  },
  operations: {
    publishOrderEvents: { action: 'send', channel: { $ref: '#/channels/orderEvents' } },
    publishFulfillmentEvents: { action: 'send', channel: { $ref: '#/channels/fulfillmentEvents' } },
  },
};
