import type { Outcome } from '../outcome.ts';

/** What came of one call over HTTP, before anybody has judged it. */
export type Answer =
  | {
      status: number;
      contentType: string | undefined;
      text: string;
      retryAfter: string | undefined;
    }
  /** No answer. `wasSent` is false only where no byte of the request can have left. */
  | { error: string; wasSent: boolean; isUntrusted: boolean };

/**
 * The provider takes none of our calls: address, credentials, account, or something in between that
 * answers in its place. 301, 307 and 308 send us to another address.
 */
export const misconfigured: ReadonlySet<number> = new Set([
  301, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 421, 426, 431, 451,
]);
const comeBack = new Set([425, 429, 503]);
const unknown = new Set([408, 409]);
const messageCharsMax = 500;
const trackingNumberCharsMax = 500;

/**
 * Reads the answer to a POST: see the table in docs/contract.md. Total: every answer has exactly
 * one meaning, and none throws. `reference` is the order's id. Only a JSON body of the provider
 * itself refuses an order; only a usable tracking number that belongs to it ships it.
 */
export function readShipAnswer(answer: Answer, reference: string): Outcome {
  if ('error' in answer) {
    const error = cleanText(answer.error);
    if (answer.isUntrusted) return { kind: 'misconfigured', error };
    return { kind: answer.wasSent ? 'unknown' : 'not_sent', error };
  }
  const { status } = answer;
  if (status === 200 || status === 201) return readBooked(answer, reference);
  const error = describe(answer);
  if (comeBack.has(status)) {
    return { kind: 'not_booked', error, retryAfterMs: retryAfterMsOf(answer.retryAfter), status };
  }
  if (misconfigured.has(status)) return { kind: 'misconfigured', error };
  if (status < 400 || status >= 500 || unknown.has(status))
    return { kind: 'unknown', error, status };
  if (!isOwnAnswer(answer)) return { kind: 'misconfigured', error };
  return { kind: 'refused', error: messageIn(answer) || error };
}

/**
 * Reads the answer to a look-up. Total. Only a 404 with a JSON body says that there is no shipment:
 * any other comes from something between us and the provider.
 */
export function readLookUpAnswer(answer: Answer, reference: string): Outcome {
  if ('error' in answer) return { kind: 'no_answer', error: `look-up: ${cleanText(answer.error)}` };
  const { status } = answer;
  if (status === 404 && isOwnAnswer(answer)) return { kind: 'not_found' };
  if (status === 200 || status === 201) {
    const booked = readBooked(answer, reference);
    if (booked.kind === 'shipped') return booked;
    if (booked.kind === 'unknown')
      return { ...booked, kind: 'no_answer', error: `look-up: ${booked.error}` };
  }
  const error = `look-up: ${describe(answer)}`;
  return { kind: 'no_answer', error, retryAfterMs: retryAfterMsOf(answer.retryAfter), status };
}

type Received = Exclude<Answer, { error: string }>;

/** A 200 or 201: the shipment of this order, or an answer that says nothing of it. */
function readBooked(answer: Received, reference: string): Outcome {
  const { status } = answer;
  const body = parseObject(answer.text) ?? {};
  if (isForeign(body.reference, reference)) {
    const error = `answer ${status} belongs to another reference: ${cleanText(String(body.reference))}`;
    return { kind: 'unknown', error, status, isForeign: true };
  }
  const trackingNumber = trackingNumberOf(body.trackingNumber);
  if (trackingNumber === undefined) {
    const error = `booked, but unreadable: answer ${status} has no usable tracking number`;
    return { kind: 'unknown', error, status };
  }
  const deviations: string[] = [];
  if (trackingNumber !== body.trackingNumber) deviations.push('trackingNumber is no trimmed text');
  if (typeof body.reference !== 'string') deviations.push('reference is no text');
  if (typeof body.carrier !== 'string') deviations.push('carrier is no text');
  const bookedAt = bookingTimeOf(body.createdAt);
  if (bookedAt === undefined) deviations.push('createdAt is no time with a zone');
  return {
    kind: 'shipped',
    trackingNumber,
    carrier: typeof body.carrier === 'string' ? cleanText(body.carrier) || null : null,
    shippedAt: new Date(bookedAt ?? Date.now()).toISOString(),
    ...(deviations.length > 0 && { deviations }),
  };
}

/** A reference that is there and is not ours. One that is missing says nothing. */
function isForeign(given: unknown, ours: string): boolean {
  if (typeof given === 'number') return true;
  if (typeof given !== 'string' || given.trim() === '') return false;
  return given.trim().toLowerCase() !== ours.toLowerCase();
}

/** Text or a whole number as it was written, blanks around it cut; undefined where unusable. */
function trackingNumberOf(given: unknown): string | undefined {
  const text = (given instanceof WrittenNumber ? given.source : given) as unknown;
  if (typeof text !== 'string') return undefined;
  const trimmed = text.trim();
  const isUsable =
    trimmed !== '' &&
    trimmed.length <= trackingNumberCharsMax &&
    trimmed.isWellFormed() &&
    !/\p{Cc}/u.test(trimmed);
  return isUsable ? trimmed : undefined;
}

/** Years that PostgreSQL and every reader of RFC 3339 take. */
const earliestMs = Date.UTC(1971, 0);
const latestMs = Date.UTC(9999, 0);

/** Milliseconds since 1970 of a time with a zone; undefined for anything else. */
function bookingTimeOf(given: unknown): number | undefined {
  if (typeof given !== 'string' || !/(Z|[+-]\d\d:?\d\d)$/i.test(given.trim())) return undefined;
  const ms = Date.parse(given);
  return ms > earliestMs && ms < latestMs ? ms : undefined;
}

/** Whether the answer is the provider's own: JSON by its type, or a JSON object by its content. */
function isOwnAnswer({ contentType = '', text }: Received): boolean {
  if (parseObject(text) !== undefined) return true;
  return /^application\/([\w.-]+\+)?json\b/i.test(contentType.trim()) && isJson(text);
}

/** The status with what the answer says; of a page, that it is one. */
function describe(answer: Received): string {
  const message = messageIn(answer);
  return message === '' ? String(answer.status) : `${answer.status} ${message}`;
}

/** `detail`, `message` or `title` of a JSON answer, else the text; a page is not repeated. */
function messageIn({ contentType = '', text }: Received): string {
  const body = parseObject(text);
  if (body !== undefined) {
    const { detail, message, title, error } = body;
    const said = [detail, message, title, error].find((part) => typeof part === 'string');
    return cleanText(String(said ?? ''));
  }
  if (/html/i.test(contentType) || /^\s*</.test(text)) return 'with a page instead of an answer';
  return cleanText(text);
}

/** Text that the database can keep and a terminal can show, at most 500 characters. */
function cleanText(text: string): string {
  return text
    .slice(0, messageCharsMax * 2)
    .toWellFormed()
    .replaceAll('\u0000', '')
    .replace(/[\p{Cc}\p{Bidi_Control}]+/gu, ' ')
    .trim()
    .slice(0, messageCharsMax)
    .toWellFormed();
}

/** A number of a JSON text with its digits: a long one does not fit a double. */
class WrittenNumber {
  readonly source: string;
  constructor(source: string) {
    this.source = source;
  }
}

type JsonObject = Record<string, unknown>;

/** The object that the text is as JSON; a whole `trackingNumber` keeps its digits. */
function parseObject(text: string): JsonObject | undefined {
  const body = parse(text, (key, value, source) =>
    key === 'trackingNumber' && typeof value === 'number' && /^\d+$/.test(source)
      ? new WrittenNumber(source)
      : value,
  );
  const isObject = typeof body === 'object' && body !== null && !Array.isArray(body);
  return isObject ? (body as JsonObject) : undefined;
}

const isJson = (text: string): boolean => parse(text, (_key, value) => value) !== undefined;

/** undefined for what is no JSON, or nested too deeply to be read. */
function parse(
  text: string,
  revive: (key: string, value: unknown, source: string) => unknown,
): unknown {
  try {
    return JSON.parse(text, (key, value, context?: { source?: string }) =>
      revive(key, value, context?.source ?? ''),
    );
  } catch {
    return undefined;
  }
}

/** Milliseconds of Retry-After, in seconds or as a date (RFC 9110, 10.2.3); 0 where unreadable. */
function retryAfterMsOf(header: string | undefined): number {
  if (header === undefined) return 0;
  const seconds = Number(header);
  const ms = Number.isFinite(seconds) ? seconds * 1_000 : Date.parse(header) - Date.now();
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
