// Station 1 of 9: request. From the client comes HTTP; what is JSON of at most 1 MiB goes on to validation (2) and placing (3), and the answer leaves after the commit.
import {
  NewOrder,
  OrderListQuery,
  OrderPage,
  OrderPath,
  OrderView,
  PlacedOrder,
  PlaceOrderHeaders,
} from '@orders/contracts/orders-api';
import { problems } from '@orders/contracts/problem';
import { storeRead } from '@orders/platform/database';
import { CodedError } from '@orders/platform/errors';
import type { HttpServer } from '@orders/platform/http-server';
import { correlationIdOf, traceparentOf } from '@orders/platform/trace-context';
import type { OrderMetrics } from './order-metrics.ts';
import type { OrderQueries } from './order-queries.ts';
import type { PlaceOrder } from './place-order.ts';

/** What the API's own page says of it. */
export const orderApi = {
  title: 'Order Service',
  version: '1.0.0',
  description: 'Takes orders, keeps them, and shows where their fulfillment stands.',
};

const tags = ['orders'];

export function addOrderRoutes(
  app: HttpServer,
  parts: { placeOrder: PlaceOrder; queries: OrderQueries; metrics: OrderMetrics },
): void {
  const { placeOrder, queries, metrics } = parts;

  app.post<{ Body: NewOrder; Headers: PlaceOrderHeaders }>('/api/orders', {
    config: { scope: 'orders:write' },
    schema: {
      tags,
      summary: 'Place an order',
      description: '201 means durable. A 503 does not mean "not created": retry with an Idempotency-Key.',
      headers: PlaceOrderHeaders,
      body: NewOrder,
      response: { 201: PlacedOrder, ...problems(400, 409, 413, 415, 422, 503) },
    },
    handler: async (request, reply) => {
      const began = performance.now();
      const idempotencyKey = request.headers['idempotency-key'];
      const { orderId, status, isReplay } = await placeOrder.place(request.body, {
        ...(idempotencyKey !== undefined && { key: { scope: request.caller, key: idempotencyKey } }),
        correlationId: correlationIdOf(request.headers, request.id),
        traceparent: traceparentOf(request.headers),
      });
      if (isReplay) reply.header('idempotent-replayed', 'true');
      else metrics.created.inc();
      metrics.createSeconds.observe((performance.now() - began) / 1_000);
      reply.code(201).header('location', `/api/orders/${orderId}`);
      return { orderId, status };
    },
  });

  app.get<{ Params: OrderPath }>('/api/orders/:orderId', {
    config: { scope: 'orders:read' },
    schema: {
      tags,
      summary: 'Show an order',
      params: OrderPath,
      response: { 200: OrderView, ...problems(400, 404, 503) },
    },
    handler: async ({ params }) => {
      const order = await storeRead(() => queries.one(params.orderId));
      if (order === undefined) throw new CodedError('order_not_found', `There is no order ${params.orderId}.`);
      return order;
    },
  });

  app.get<{ Querystring: OrderListQuery }>('/api/orders', {
    config: { scope: 'orders:read' },
    schema: {
      tags,
      summary: 'List orders, newest first',
      querystring: OrderListQuery,
      response: { 200: OrderPage, ...problems(400, 503) },
    },
    handler: ({ query }) => storeRead(() => queries.page(query)),
  });
}
