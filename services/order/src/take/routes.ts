// Station 1 of 9: request. From the client comes HTTP; what is JSON of at most 1 MiB goes on to
// validation (2) and placing (3), and the answer leaves after the commit.

import {
  CancelOrder,
  CancelOrderHeaders,
  NewOrder,
  OrderPath,
  OrderView,
  PlacedOrder,
  PlaceOrderHeaders,
} from '@orders/contracts/orders/api';
import { problems } from '@orders/contracts/problem';
import type { HttpServer } from '@orders/platform/http/server';
import { correlationIdOf, traceparentOf } from '@orders/platform/http/trace-context';
import type { OrderMetrics } from '../metrics.ts';
import type { CancelOrder as Cancelling } from './cancel-order.ts';
import type { PlaceOrder } from './place-order.ts';

const tags = ['orders'];

/** Adds the route that places an order. */
export function addPlaceRoute(
  app: HttpServer,
  { placeOrder, metrics }: { placeOrder: PlaceOrder; metrics: OrderMetrics },
): void {
  app.post<{ Body: NewOrder; Headers: PlaceOrderHeaders }>('/api/orders', {
    config: { scope: 'orders:write' },
    schema: {
      tags,
      summary: 'Place an order',
      description:
        '201 means durable. A 503 does not mean "not created": retry with an Idempotency-Key.',
      headers: PlaceOrderHeaders,
      body: NewOrder,
      response: { 201: PlacedOrder, ...problems(400, 409, 413, 415, 422, 503) },
    },
    handler: async (request, reply) => {
      const began = performance.now();
      const idempotencyKey = request.headers['idempotency-key'];
      const { orderId, status, isRepeat } = await placeOrder.place(request.body, {
        ...(idempotencyKey !== undefined && {
          key: { scope: request.caller, key: idempotencyKey },
        }),
        correlationId: correlationIdOf(request.headers, request.id),
        traceparent: traceparentOf(request.headers),
      });
      if (isRepeat) reply.header('idempotent-replayed', 'true');
      else metrics.created.inc();
      metrics.createSeconds.observe((performance.now() - began) / 1_000);
      reply.code(201).header('location', `/api/orders/${orderId}`);
      return { orderId, status };
    },
  });
}

/** Adds the route that requests the cancellation of an order. */
export function addCancelRoute(app: HttpServer, cancelOrder: Cancelling): void {
  app.post<{ Params: OrderPath; Body: CancelOrder }>('/api/orders/:orderId/cancel', {
    config: { scope: 'orders:write' },
    schema: {
      tags,
      summary: 'Request the cancellation of an order',
      description:
        'The Fulfillment Service decides; `cancellation.outcome` shows its decision. A repeated request changes nothing; a final order answers 409 order_final.',
      params: OrderPath,
      headers: CancelOrderHeaders,
      'x-body-optional': true,
      body: CancelOrder,
      response: { 202: OrderView, ...problems(400, 404, 409, 413, 415, 503) },
    },
    handler: async (request, reply) => {
      reply.code(202);
      return await cancelOrder.cancel(request.params.orderId, {
        reason: request.body.reason ?? null,
        correlationId: correlationIdOf(request.headers, request.id),
        traceparent: traceparentOf(request.headers),
      });
    },
  });
}
