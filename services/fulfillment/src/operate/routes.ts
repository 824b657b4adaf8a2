import {
  FulfillmentDetail,
  FulfillmentListQuery,
  FulfillmentPage,
  FulfillmentPath,
  RetryAnswer,
  RetryRequest,
  Verdict,
} from '@orders/contracts/fulfillments/api';
import { type OperatorHeader, operatorHeader } from '@orders/contracts/operate/actions';
import { BreakerChange, BreakerView } from '@orders/contracts/operate/breakers';
import { problems } from '@orders/contracts/problem';
import { orUnavailable } from '@orders/platform/http/or-unavailable';
import type { HttpServer } from '@orders/platform/http/server';
import { CodedError } from '@orders/platform/process/errors';
import type { FulfillmentQueries } from './fulfillment-queries.ts';
import type { GiveVerdict } from './give-verdict.ts';
import type { RetryFulfillments } from './retry-fulfillments.ts';
import type { ShippingBreakerStore } from './shipping-breaker-store.ts';

/** What the API's own page says of it. */
export const fulfillmentApi = {
  title: 'Fulfillment Service',
  version: '1.0.0',
  description: 'Ships orders through the provider; for operators.',
};

const tags = ['operators'];

/**
 * The operators' routes: what is shipping, what failed and its retry, and the breaker before the
 * provider.
 */
export function addFulfillmentRoutes(
  app: HttpServer,
  parts: {
    queries: FulfillmentQueries;
    retries: RetryFulfillments;
    giveVerdict: GiveVerdict;
    breaker: ShippingBreakerStore;
  },
): void {
  const { queries, retries, giveVerdict, breaker } = parts;

  async function show(orderId: string): Promise<FulfillmentDetail> {
    const fulfillment = await orUnavailable(() => queries.one(orderId));
    if (fulfillment !== undefined) return fulfillment;
    throw new CodedError('fulfillment_not_found', `There is no fulfillment of order ${orderId}.`);
  }

  app.get<{ Querystring: FulfillmentListQuery }>('/api/fulfillments', {
    config: { scope: 'operate' },
    schema: {
      tags,
      summary: 'List fulfillments, newest first',
      querystring: FulfillmentListQuery,
      response: { 200: FulfillmentPage, ...problems(400, 503) },
    },
    handler: ({ query }) => orUnavailable(() => queries.page(query)),
  });

  app.get<{ Params: FulfillmentPath }>('/api/fulfillments/:orderId', {
    config: { scope: 'operate' },
    schema: {
      tags,
      summary: 'Show a fulfillment with the attempts kept and who has it in hand',
      params: FulfillmentPath,
      response: { 200: FulfillmentDetail, ...problems(400, 404, 503) },
    },
    handler: ({ params }) => show(params.orderId),
  });

  app.post<{ Body: RetryRequest; Headers: OperatorHeader }>('/api/fulfillments/retry', {
    config: { scope: 'operate' },
    schema: {
      tags,
      summary: 'Retry failed fulfillments, or list what a retry would do (dryRun)',
      description:
        'Failed orders become Retrying, Retrying ones are due now. Each is looked up at the provider before it is sent again, so nothing ships twice. After a 503 ask again.',
      headers: operatorHeader,
      body: RetryRequest,
      response: { 200: RetryAnswer, ...problems(400, 413, 415, 503) },
    },
    handler: ({ body, headers }) => orUnavailable(() => retries.retry(body, headers['x-operator'])),
  });

  app.post<{ Params: FulfillmentPath; Body: Verdict; Headers: OperatorHeader }>(
    '/api/fulfillments/:orderId/verdict',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        summary: 'End a fulfillment that waits for an operator, or one that has failed',
        description:
          'Only what the provider itself says should be given here: not_booked sends the order again without a look-up. After a 503 show the fulfillment first.',
        params: FulfillmentPath,
        headers: operatorHeader,
        body: Verdict,
        response: { 200: FulfillmentDetail, ...problems(400, 404, 409, 413, 415, 503) },
      },
      handler: async ({ params, body, headers }) => {
        await orUnavailable(() => giveVerdict(params.orderId, body, headers['x-operator']));
        return await show(params.orderId);
      },
    },
  );

  addBreakerRoutes(app, breaker);
}

/** The breaker before the provider. */
function addBreakerRoutes(app: HttpServer, breaker: ShippingBreakerStore): void {
  app.get('/api/breakers/shipping', {
    config: { scope: 'operate' },
    schema: {
      tags,
      summary: 'Show the breaker before the shipping provider, in every instance',
      response: { 200: BreakerView, ...problems(503) },
    },
    handler: () => orUnavailable(() => breaker.breaker()),
  });

  app.put<{ Body: BreakerChange; Headers: OperatorHeader }>('/api/breakers/shipping', {
    config: { scope: 'operate' },
    schema: {
      tags,
      summary: 'Force the breaker in every instance, or leave it to each',
      description: 'Every instance follows within about a second.',
      headers: operatorHeader,
      body: BreakerChange,
      response: { 200: BreakerView, ...problems(400, 413, 415, 503) },
    },
    handler: ({ body: { mode, reason = null }, headers }) =>
      orUnavailable(async () => {
        await breaker.setBreaker({ mode, operator: headers['x-operator'], reason });
        return await breaker.breaker();
      }),
  });
}
