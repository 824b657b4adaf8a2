import assert from 'node:assert/strict';
import type {
  FulfillmentDetail,
  FulfillmentPage,
  RetryAnswer,
  RetryRequest,
} from '@orders/contracts/fulfillments/api';
import type { OperatorAction } from '@orders/contracts/operate/actions';
import type { BreakerChange, BreakerView } from '@orders/contracts/operate/breakers';
import { call } from './http.ts';

const headers = { 'x-operator': 'system test' };

/** The Fulfillment Service's API as an operator uses it; every answer must be 200. */
export function createOperator(fulfillmentUrl: string) {
  const ask = async <T>(method: string, path: string, json?: unknown): Promise<T> => {
    const answer = await call<T>(
      method,
      `${fulfillmentUrl}${path}`,
      json === undefined ? {} : { json, headers },
    );
    assert.equal(answer.status, 200, answer.text);
    return answer.body;
  };
  return {
    list: (query: string) => ask<FulfillmentPage>('GET', `/api/fulfillments?${query}`),
    show: (orderId: string) => ask<FulfillmentDetail>('GET', `/api/fulfillments/${orderId}`),
    retry: (request: Partial<RetryRequest>) =>
      ask<RetryAnswer>('POST', '/api/fulfillments/retry', {
        reason: 'tested',
        ratePerSecond: 100,
        ...request,
      }),
    breaker: () => ask<BreakerView>('GET', '/api/breakers/shipping'),
    force: (mode: BreakerChange['mode']) =>
      ask<BreakerView>('PUT', '/api/breakers/shipping', { mode, reason: 'tested' }),
    actions: async () =>
      (await ask<{ items: OperatorAction[] }>('GET', '/api/operator-actions')).items,
  };
}
