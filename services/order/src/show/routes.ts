import {
  OrderListQuery,
  OrderPage,
  OrderPath,
  OrderView,
  OrderWaitQuery,
} from '@orders/contracts/orders/api';
import { Timeline } from '@orders/contracts/orders/history';
import { problems } from '@orders/contracts/problem';
import { orUnavailable } from '@orders/platform/http/or-unavailable';
import type { HttpServer } from '@orders/platform/http/server';
import { hasReached } from '../order-status.ts';
import type { OrderChanges } from './changes.ts';
import type { OrderQueries } from './order-queries.ts';
import { toTimeline } from './timeline.ts';
import { waitForStatus } from './wait-for-status.ts';

const tags = ['orders'];

/** Adds the routes that show orders: one, its timeline, and the list. */
export function addShowRoutes(
  app: HttpServer,
  { queries, changes }: { queries: OrderQueries; changes: OrderChanges },
): void {
  const show = (orderId: string): Promise<OrderView> => orUnavailable(() => queries.one(orderId));

  app.get<{ Params: OrderPath; Querystring: OrderWaitQuery }>('/api/orders/:orderId', {
    config: { scope: 'orders:read' },
    schema: {
      tags,
      summary: 'Show an order. With `waitFor`, answer once it reaches that status',
      params: OrderPath,
      querystring: OrderWaitQuery,
      response: { 200: OrderView, ...problems(400, 404, 503) },
    },
    handler: async ({ params, query: { waitFor, timeoutSeconds } }, reply) => {
      const { orderId } = params;
      if (waitFor === undefined || timeoutSeconds === 0) return await show(orderId);
      const gone = new AbortController();
      reply.raw.once('close', () => gone.abort());
      // Whoever waits holds no items meanwhile: an order may have a megabyte of them.
      const status = await orUnavailable(() => queries.status(orderId));
      if (!hasReached(status, waitFor)) {
        const timeoutMs = timeoutSeconds * 1_000;
        await waitForStatus(changes, { orderId, status: waitFor, timeoutMs, signal: gone.signal });
      }
      return await show(orderId);
    },
  });

  app.get<{ Params: OrderPath }>('/api/orders/:orderId/timeline', {
    config: { scope: 'orders:read' },
    schema: {
      tags,
      summary: 'Show what has happened to an order',
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
