import type { Outcome } from '../outcome.ts';
import { type Answer, readLookUpAnswer, readShipAnswer } from './provider-answer.ts';
import { createProviderCaller, type ProviderCall } from './provider-call.ts';

/** One call's identity and body. */
type ShippingCall = {
  orderId: string;
  payload: string;
  correlationId: string | null;
  traceparent: string | null;
};

export type ShippingClient = {
  /** POST: never rejects; the outcome says what is known. Bounded by the timeout. */
  ship(call: ShippingCall): Promise<Outcome>;
  /** GET: `shipped`, `not_found` or `no_answer`. Never rejects. Bounded by the timeout. */
  lookUp(call: ShippingCall): Promise<Outcome>;
  close(): Promise<void>;
};

/**
 * The provider's HTTP API: see docs/contract.md. `authorization` is the value of the Authorization
 * header of every call. There is no retry in here.
 */
export function createShippingClient(options: {
  baseUrl: string;
  authorization?: string | undefined;
  timeoutMs: number;
  connections: number;
}): ShippingClient {
  const { authorization, timeoutMs, connections } = options;
  const { origin, pathname } = new URL(options.baseUrl);
  const base = pathname.replace(/\/+$/, '');
  const caller = createProviderCaller({ origin, timeoutMs, connections });

  function call(
    shipping: ShippingCall,
    request: Pick<ProviderCall, 'method' | 'path' | 'body'>,
  ): Promise<Answer> {
    const headers: Record<string, string> = {
      accept: 'application/json',
      'accept-encoding': 'identity',
    };
    if (authorization !== undefined) headers.authorization = authorization;
    if (shipping.correlationId !== null) headers['x-correlation-id'] = shipping.correlationId;
    if (shipping.traceparent !== null) headers.traceparent = shipping.traceparent;
    if (request.body !== null) {
      headers['content-type'] = 'application/json';
      headers['idempotency-key'] = shipping.orderId;
    }
    return caller.call({ ...request, path: `${base}${request.path}`, headers });
  }

  return {
    async ship(shipping) {
      const answer = await call(shipping, {
        method: 'POST',
        path: '/api/shipments',
        body: shipping.payload,
      });
      return readShipAnswer(answer, shipping.orderId);
    },
    async lookUp(shipping) {
      const path = `/api/shipments/${encodeURIComponent(shipping.orderId)}`;
      const answer = await call(shipping, { method: 'GET', path, body: null });
      return readLookUpAnswer(answer, shipping.orderId);
    },
    close: caller.close,
  };
}
