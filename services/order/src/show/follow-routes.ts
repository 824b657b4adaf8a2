import { OrderPath } from '@orders/contracts/orders/api';
import { OrderChange, OrderEventsQuery } from '@orders/contracts/orders/history';
import { problems } from '@orders/contracts/problem';
import { orUnavailable } from '@orders/platform/http/or-unavailable';
import type { HttpReply, HttpServer } from '@orders/platform/http/server';
import { isFinal } from '../order.ts';
import type { Follower, OrderChanges } from './changes.ts';
import type { EventStream, EventStreams } from './event-streams.ts';
import type { OrderEntry, OrderQueries } from './order-queries.ts';

const description =
  'Server-Sent Events: `event: order`, `data:` the order without customer and items, `id:` of its own. States between two looks may be left out, the same may come twice, never an older one after a newer one. What happened while a client was away is not sent again: Last-Event-ID is not looked at';
const eventStream = {
  description: 'Events',
  content: { 'text/event-stream': { schema: OrderChange } },
};
const schema = { tags: ['orders'], response: { 200: eventStream, ...problems(400, 404, 503) } };

/** Adds the streams that tell what happens to orders. */
export function addFollowRoutes(
  app: HttpServer,
  parts: { queries: OrderQueries; changes: OrderChanges; streams: EventStreams },
): void {
  const { queries, changes, streams } = parts;

  /**
   * Answers with a stream; `watch` makes of it what is to be told. Without a follower there is no
   * stream: it rejects.
   */
  async function answer(
    caller: string,
    reply: HttpReply,
    watch: (stream: EventStream) => Follower,
  ): Promise<HttpReply> {
    let isClosed = false;
    let stop = (): void => undefined;
    const onClose = (): void => {
      isClosed = true;
      stop();
    };
    const stream = streams.open(onClose, () => app.isStillKnown(caller));
    try {
      stop = await changes.watch(watch(stream));
    } catch (error) {
      stream.body.destroy();
      throw error;
    }
    if (isClosed) stop();
    // The second header is for proxies that would gather events before they pass them on (nginx).
    return reply
      .type('text/event-stream')
      .headers({ 'cache-control': 'no-store', 'x-accel-buffering': 'no' })
      .send(stream.body);
  }

  app.get<{ Querystring: OrderEventsQuery }>('/api/orders/events', {
    config: { scope: 'orders:read' },
    exposeHeadRoute: false,
    schema: {
      ...schema,
      summary: 'Follow all orders from now on',
      description: `${description}. Ends when changes may have been missed; a client then connects again and reads the list.`,
      querystring: OrderEventsQuery,
    },
    handler: ({ query: { customerId }, caller }, reply) =>
      answer(caller, reply, (stream) => ({
        orderId: null,
        tell(order) {
          if (customerId === undefined || order.customerId === customerId)
            stream.send(toEvent(order));
        },
        end: stream.end,
      })),
  });

  app.get<{ Params: OrderPath }>('/api/orders/:orderId/events', {
    config: { scope: 'orders:read' },
    exposeHeadRoute: false,
    schema: {
      ...schema,
      summary: 'Follow one order',
      response: {
        ...schema.response,
        204: { type: 'null', description: 'The final state was sent before' },
      },
      description: `${description}, except that a client which has seen the final state gets 204 and stays away. The present state comes first; ends with a final state.`,
      params: OrderPath,
    },
    handler: async ({ params, headers, caller }, reply) => {
      const order = await orUnavailable(() => queries.existing(params.orderId));
      if (isFinal(order.status) && headers['last-event-id'] === toEvent(order).id)
        return reply.code(204).send();
      return await answer(caller, reply, (stream) => ({
        orderId: order.orderId,
        tell: tellChanges(stream),
        end: stream.end,
      }));
    },
  });
}

/** Tells each state of one order once, until it is final. */
function tellChanges(stream: EventStream): (order: OrderEntry) => void {
  let last = '';
  return (order) => {
    const event = toEvent(order);
    const text = JSON.stringify(event);
    if (text === last) return;
    last = text;
    stream.send(event);
    if (isFinal(order.status)) stream.end();
  };
}

function toEvent(order: OrderEntry): { id: string; event: string; data: OrderChange } {
  const { orderId, status, publishFailed, updatedAt, cancellation, fulfillment } = order;
  const data = {
    orderId,
    status,
    publishFailed,
    updatedAt,
    cancellation,
    fulfillment: toView(fulfillment),
  };
  return { id: `${orderId}/${updatedAt}`, event: 'order', data };
}

/** Without what the row keeps beside it, which the schema of an answer would take off. */
function toView(fulfillment: OrderEntry['fulfillment']): OrderChange['fulfillment'] {
  if (fulfillment === null) return null;
  const { status, trackingNumber, carrier, shippedAt, errorMessage, attempts, nextAttemptAt } =
    fulfillment;
  return { status, trackingNumber, carrier, shippedAt, errorMessage, attempts, nextAttemptAt };
}
