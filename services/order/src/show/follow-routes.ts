import { OrderPath } from '@orders/contracts/orders/api';
import { OrderChange, OrderEventsQuery } from '@orders/contracts/orders/history';
import { problems } from '@orders/contracts/problem';
import { orUnavailable } from '@orders/platform/http/or-unavailable';
import type { HttpReply, HttpServer } from '@orders/platform/http/server';
import { isFinal } from '../order-status.ts';
import type { Follower, OrderChanges } from './changes.ts';
import type { EventStream, EventStreams } from './event-streams.ts';
import type { OrderEntry, OrderQueries } from './order-queries.ts';

const description =
  'Server-Sent Events: `event: order`; `data:` is the order without customer and items; `id:` names its state. A state may be skipped or sent twice; an older state never follows a newer one. Changes that a client missed are not sent again: Last-Event-ID is ignored';
const eventStream = {
  description: 'Events',
  content: { 'text/event-stream': { schema: OrderChange } },
};
const schema = { tags: ['orders'], response: { 200: eventStream, ...problems(400, 404, 503) } };

/** Adds the streams of changes of orders. */
export function addFollowRoutes(
  app: HttpServer,
  parts: { queries: OrderQueries; changes: OrderChanges; streams: EventStreams },
): void {
  const { queries, changes, streams } = parts;

  /**
   * Answers with a stream; `toFollower` says what is sent on it. Rejects with CodedError if no
   * stream can be opened or no changes can be followed now.
   */
  async function answer(
    caller: string,
    reply: HttpReply,
    toFollower: (stream: EventStream) => Follower,
  ): Promise<HttpReply> {
    let isClosed = false;
    let stop = (): void => undefined;
    const onClose = (): void => {
      isClosed = true;
      stop();
    };
    const stream = streams.open(onClose, () => app.isStillKnown(caller));
    try {
      stop = await changes.follow(toFollower(stream));
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
        notify(order) {
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
        204: { type: 'null', description: 'The client has seen the final state' },
      },
      description: `${description}, except that a client which has seen the final state gets 204 and stays away. The present state comes first; ends with a final state.`,
      params: OrderPath,
    },
    handler: async ({ params, headers, caller }, reply) => {
      const order = await orUnavailable(() => queries.one(params.orderId));
      if (isFinal(order.status) && headers['last-event-id'] === toEvent(order).id)
        return reply.code(204).send();
      return await answer(caller, reply, (stream) => ({
        orderId: order.orderId,
        notify: sendChanges(stream),
        end: stream.end,
      }));
    },
  });
}

/** Sends each state of one order once and ends the stream with a final one. */
function sendChanges(stream: EventStream): (order: OrderEntry) => void {
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
