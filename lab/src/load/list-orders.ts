import type { OrderListEntry, OrderPage } from '@orders/contracts/orders/api';
import { type Dispatcher, request } from 'undici';

const pageSize = 200;
const pageMs = 15_000;

/**
 * Lists the orders created at `createdFrom` (ISO 8601) or later, newest first, page by page. Throws
 * when a page does not come with 200 within 15 s; nothing is retried here.
 */
export async function* listOrders(
  at: { url: string; dispatcher: Dispatcher; signal: AbortSignal },
  createdFrom: string,
): AsyncGenerator<OrderListEntry> {
  let pageToken: string | null = null;
  do {
    const query = new URLSearchParams({
      createdFrom,
      limit: String(pageSize),
      ...(pageToken !== null && { pageToken }),
    });
    const { statusCode, body } = await request(`${at.url}/api/orders?${query}`, {
      dispatcher: at.dispatcher,
      signal: AbortSignal.any([at.signal, AbortSignal.timeout(pageMs)]),
    });
    const text = await body.text();
    if (statusCode !== 200)
      throw new Error(`GET /api/orders answered ${statusCode}: ${text.slice(0, 200)}`);
    const page: OrderPage = JSON.parse(text);
    yield* page.items;
    pageToken = page.nextPageToken;
  } while (pageToken !== null);
}
