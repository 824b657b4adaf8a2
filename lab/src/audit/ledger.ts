import type { LedgerEntry, Shipment } from '@orders/contracts/shipping';
import { type Dispatcher, request } from 'undici';
import { type BookingRow, notBooked } from './facts.ts';
import { AuditError } from './report.ts';
import { reasonOf } from './schema.ts';

const answerMs = 15_000;
/** A stream that stands still for so long is broken; while we do not read, it does not count. */
const silenceMs = 60_000;
/** A provider in use is not burdened with more calls than this by an audit. */
export const lookUpsMax = 1_000;
/** What providers answer where there is no such route. */
const noLedger = [401, 403, 404, 405, 501];

type Provider = { url: string; dispatcher: Dispatcher };

/**
 * The provider's ledger, in pages sorted by reference; undefined where the provider has none. What
 * is booked later than this resolves may be missing. Rejects with AuditError when the provider is
 * away.
 */
export async function openLedger({
  url,
  dispatcher,
}: Provider): Promise<AsyncIterable<BookingRow[]> | undefined> {
  const attempt = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error) => Promise.reject(unreadable(url, error)));
  const path = `${url}/simulation/ledger`;
  const options = { dispatcher, headersTimeout: answerMs, bodyTimeout: silenceMs };
  const { statusCode, body } = await attempt(request(path, options));
  if (statusCode !== 200) await body.dump();
  if (noLedger.includes(statusCode)) return undefined;
  if (statusCode !== 200)
    throw new AuditError(`The shipping provider's ledger at ${path} answered ${statusCode}.`);
  const chunks = (body.setEncoding('utf8') as AsyncIterable<string>)[Symbol.asyncIterator]();
  // The ledger's list of references is made when its first part is: the caller's reads of the
  // databases must come after.
  const first = await attempt(chunks.next());
  return pages();

  async function* pages(): AsyncGenerator<BookingRow[]> {
    let rest = '';
    try {
      for (let next = first; next.done !== true; next = await attempt(chunks.next())) {
        const lines = (rest + next.value).split('\n');
        rest = lines.pop() ?? '';
        if (lines.length > 0) yield lines.map((line) => toBooking(url, line));
      }
    } finally {
      body.destroy();
    }
    if (rest !== '')
      throw new AuditError(
        `The shipping provider's ledger at ${path} ends in the middle of a line.`,
      );
  }
}

/**
 * The shipments of the first 1,000 references, one by one, from a provider that has no ledger; what
 * it gives no clear answer for is missing. Rejects with AuditError when it is away.
 */
export async function lookUp(
  { url, dispatcher }: Provider,
  ids: readonly string[],
): Promise<Map<string, BookingRow>> {
  const found = new Map<string, BookingRow>();
  for (const id of ids.slice(0, lookUpsMax)) {
    const path = `${url}/api/shipments/${encodeURIComponent(id)}`;
    const options = { dispatcher, headersTimeout: answerMs, bodyTimeout: answerMs };
    const { statusCode, body } = await request(path, options).catch((error) =>
      Promise.reject(unreadable(url, error)),
    );
    const text = await body.text();
    if (statusCode === 404) found.set(id, { ...notBooked(id), posts: null });
    if (statusCode !== 200) continue;
    const { trackingNumber } = parse<Shipment>(url, text);
    found.set(id, { id, bookings: 1, trackingNumber, posts: null, content: null });
  }
  return found;
}

function toBooking(url: string, line: string): BookingRow {
  const { reference, ...known } = parse<Partial<LedgerEntry>>(url, line);
  const id = reference ?? '';
  return { ...notBooked(id), ...known, id, posts: known.posts ?? null };
}

function parse<T>(url: string, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new AuditError(
      `The shipping provider at ${url} sends what is no JSON: ${text.slice(0, 100)}`,
      { cause },
    );
  }
}

const unreadable = (url: string, cause: unknown): AuditError =>
  new AuditError(`The shipping provider at ${url} cannot be read: ${reasonOf(cause)}`, { cause });
