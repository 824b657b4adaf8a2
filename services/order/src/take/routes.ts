// Station 1 of 9: request. From the client comes HTTP; what is JSON of at most 1 MiB goes on to
// validation (2) and placing (3), and the answer leaves after the commit.

import {
  CancelOrder,
  CancelOrderHeaders,
  NewOrder,
  OrderListQuery,
  OrderPage,
  OrderPath,
  OrderView,
  OrderWaitQuery,
  PlacedOrder,
  PlaceOrderHeaders,
} from '@orders/contracts/orders/api';
import { Timeline } from '@orders/contracts/orders/history';
import { problems } from '@orders/contracts/problem';
import { orUnavailable } from '@orders/platform/http/or-unavailable';
import type { HttpServer } from '@orders/platform/http/server';
import { correlationIdOf, traceparentOf } from '@orders/platform/http/trace-context';
import type { OrderMetrics } from '../metrics.ts';
import { hasReached } from '../order.ts';
import type { OrderChanges } from '../show/changes.ts';
import type { OrderQueries } from '../show/order-queries.ts';
import { toTimeline } from '../show/timeline.ts';
import { waitForStatus } from '../show/wait-for-status.ts';
import type { CancelOrder as Cancelling } from './cancel-order.ts';
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
  parts: {
    placeOrder: PlaceOrder;
    cancelOrder: Cancelling;
    queries: OrderQueries;
    changes: OrderChanges;
    metrics: OrderMetrics;
  },
): void {
  const { placeOrder, cancelOrder, queries, changes, metrics } = parts;
  const show = (orderId: string): Promise<OrderView> =>
    orUnavailable(() => queries.existing(orderId));

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

  app.get<{ Params: OrderPath; Querystring: OrderWaitQuery }>('/api/orders/:orderId', {
    config: { scope: 'orders:read' },
    schema: {
      tags,
      summary: 'Show an order, if asked for when it has a status',
      params: OrderPath,
      querystring: OrderWaitQuery,
      response: { 200: OrderView, ...problems(400, 404, 503) },
    },
    handler: async ({ params, query: { waitFor, timeoutSeconds } }, reply) => {
      if (waitFor === undefined) return await show(params.orderId);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      const order = await show(params.orderId);
      if (timeoutSeconds === 0 || hasReached(order.status, waitFor)) return order;
      const { orderId } = order;
      const timeoutMs = timeoutSeconds * 1_000;
      await waitForStatus(changes, { orderId, status: waitFor, timeoutMs, signal: gone.signal });
      return await show(orderId);
    },
  });

  app.post<{ Params: OrderPath; Body: CancelOrder }>('/api/orders/:orderId/cancel', {
    config: { scope: 'orders:write' },
    schema: {
      tags,
      summary: 'Ask for an order not to be shipped',
      description:
        'The Fulfillment Service decides; `cancellation.outcome` has the result. Asking again changes nothing; a final order is 409 order_final.',
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

  app.get<{ Params: OrderPath }>('/api/orders/:orderId/timeline', {
    config: { scope: 'orders:read' },
    schema: {
      tags,
      summary: 'Tell what has happened to an order',
      params: OrderPath,
      response: { 200: Timeline, ...problems(400, 404, 503) },
    },
    handler: async ({ params }) =>
      toTimeline(await orUnavailable(() => queries.history(params.orderId))),
  });

  app.get<{ Querystring: OrderListQuery }>('/api/orders', {
    config: { scope: 'orders:read' },
    schema: {
      tags,
      summary: 'List orders, newest first',
      querystring: OrderListQuery,
      response: { 200: OrderPage, ...problems(400, 503) },
    },
    handler: ({ query }) => orUnavailable(() => queries.page(query)),
  });
}
