import { Shipment } from '@orders/contracts/shipping';
import { codeOf, messageOf } from '@orders/platform/process/errors';
import { createValidator } from '@orders/platform/process/validator';
import { Agent, request } from 'undici';
import type { Outcome } from '../fulfillment.ts';

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

const connectTimeoutMs = 2_000;
const answerBytesMax = 256 * 1024;
const messageCharsMax = 500;
/** No connection was made, so nothing can have been booked. */
const neverSent = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);
/** The provider takes none of our calls. */
export const misconfigured = new Set([401, 403, 404, 405, 407]);
const comeBack = new Set([425, 429, 503]);
const unknown = new Set([408, 409]);
const isShipment = createValidator(Shipment);

/**
 * The provider's HTTP API and how its answers are read: see docs/contract.md. There is no retry in
 * here.
 */
export function createShippingClient(options: {
  baseUrl: string;
  timeoutMs: number;
  connections: number;
}): ShippingClient {
  const { timeoutMs } = options;
  const base = options.baseUrl.replace(/\/+$/, '');
  const agent = new Agent({
    connections: options.connections,
    pipelining: 1,
    connect: { timeout: Math.min(connectTimeoutMs, timeoutMs) },
    // The abort signal bounds the whole call; these only free what it cannot reach.
    headersTimeout: timeoutMs * 2,
    bodyTimeout: timeoutMs * 2,
    maxResponseSize: answerBytesMax,
    keepAliveTimeout: 4_000,
  });

  async function call(
    method: 'GET' | 'POST',
    path: string,
    shipping: ShippingCall,
  ): Promise<Answer> {
    const headers: Record<string, string> = {};
    if (shipping.correlationId !== null) headers['x-correlation-id'] = shipping.correlationId;
    if (shipping.traceparent !== null) headers.traceparent = shipping.traceparent;
    if (method === 'POST') {
      headers['content-type'] = 'application/json';
      headers['idempotency-key'] = shipping.orderId;
    }
    const giveUp = new AbortController();
    const timer = setTimeout(() => giveUp.abort(), timeoutMs);
    try {
      const {
        statusCode,
        headers: got,
        body,
      } = await request(`${base}${path}`, {
        method,
        headers,
        body: method === 'POST' ? shipping.payload : null,
        dispatcher: agent,
        signal: giveUp.signal,
      });
      return { status: statusCode, text: await body.text(), retryAfter: got['retry-after'] };
    } catch (error) {
      if (giveUp.signal.aborted)
        return { error: `no answer within ${timeoutMs} ms`, wasSent: true };
      return { error: messageOf(error), wasSent: !neverSent.has(codeOf(error) ?? '') };
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    ship: async (shipping) => readShipAnswer(await call('POST', '/api/shipments', shipping)),
    lookUp: async (shipping) =>
      readLookUpAnswer(
        await call('GET', `/api/shipments/${encodeURIComponent(shipping.orderId)}`, shipping),
      ),
    close: () => agent.destroy(),
  };
}

type Answer =
  | { status: number; text: string; retryAfter: string | string[] | undefined }
  | { error: string; wasSent: boolean };

function readShipAnswer(answer: Answer): Outcome {
  if ('error' in answer)
    return { kind: answer.wasSent ? 'unknown' : 'not_sent', error: clean(answer.error) };
  const { status, text } = answer;
  if (status === 200 || status === 201) {
    return (
      readShipment(text) ?? { kind: 'unknown', error: `unreadable answer with status ${status}` }
    );
  }
  const error = `${status} ${messageIn(text)}`.trim();
  if (comeBack.has(status)) {
    return { kind: 'not_booked', error, retryAfterMs: retryAfterMsOf(answer.retryAfter), status };
  }
  if (misconfigured.has(status)) return { kind: 'misconfigured', error };
  if (status >= 400 && status < 500 && !unknown.has(status))
    return { kind: 'refused', error: messageIn(text) || error };
  return { kind: 'unknown', error, status };
}

function readLookUpAnswer(answer: Answer): Outcome {
  if ('error' in answer) return { kind: 'no_answer', error: `look-up: ${clean(answer.error)}` };
  if (answer.status === 404) return { kind: 'not_found' };
  const { status, text } = answer;
  const shipped = status === 200 ? readShipment(text) : undefined;
  const error = `look-up: ${status} ${messageIn(text)}`.trim();
  return (
    shipped ?? { kind: 'no_answer', error, retryAfterMs: retryAfterMsOf(answer.retryAfter), status }
  );
}

function readShipment(text: string): Outcome | undefined {
  const body = parse(text) as Partial<Shipment> | null | undefined;
  if (
    !isShipment.accepts({
      reference: '',
      carrier: '',
      createdAt: new Date(0).toISOString(),
      ...body,
    })
  )
    return undefined;
  const { trackingNumber = '', carrier, createdAt } = body ?? {};
  if (clean(trackingNumber) !== trackingNumber) return undefined;
  // In UTC, and never a time that the database cannot keep (year 0, a leap second): the shipment
  // must not be lost for it.
  const booked = Date.parse(createdAt ?? '');
  const shippedAt = new Date(booked > 0 ? booked : Date.now()).toISOString();
  return {
    kind: 'shipped',
    trackingNumber,
    carrier: carrier === undefined ? null : clean(carrier),
    shippedAt,
  };
}

/**
 * What the provider says of an error: `detail`, `message` or `title` of a JSON answer, else the
 * text.
 */
function messageIn(text: string): string {
  const body = parse(text);
  if (body === null || typeof body !== 'object') return clean(text);
  const { detail, message, title } = body as Record<string, unknown>;
  return clean(
    [detail, message, title].find((part): part is string => typeof part === 'string') ?? '',
  );
}

/** Text that the database and a log can keep. */
function clean(text: string): string {
  return text
    .toWellFormed()
    .replaceAll('\u0000', '')
    .trim()
    .slice(0, messageCharsMax)
    .toWellFormed();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Retry-After in seconds or as a date (RFC 9110, 10.2.3); 0 where there is none. The caller bounds
 * it.
 */
function retryAfterMsOf(header: string | string[] | undefined): number {
  if (typeof header !== 'string') return 0;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
