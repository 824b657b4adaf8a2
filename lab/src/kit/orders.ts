import assert from 'node:assert/strict';
import type {
  NewOrder,
  OrderListEntry,
  OrderPage,
  OrderStatus,
  OrderView,
  PlacedOrder,
} from '@orders/contracts/orders/api';
import { type Answer, call, type Problem } from './http.ts';
import { until } from './until.ts';

const pagesMax = 1_000;

/** A valid order; `over` replaces parts of it. */
export function anOrder(over: Partial<NewOrder> = {}): NewOrder {
  return {
    customerId: 'customer-123',
    customerName: 'Jane Roe',
    currency: 'EUR',
    items: [{ productId: 'product-456', quantity: 2, unitPrice: 19.99 }],
    ...over,
  };
}

/**
 * An order of one product with a fate of its own at the mock provider: TEST-REFUSE, TEST-DOWN, …
 */
export const anOrderOf = (productId: string): NewOrder =>
  anOrder({ items: [{ productId, quantity: 1 }] });

/**
 * The body of an answer to POST /api/orders: what is placed, or why not; the status of the answer
 * tells which.
 */
export type PlaceAnswer = PlacedOrder & Omit<Problem, 'status'>;

/** POST /api/orders, once. */
export function post(
  url: string,
  order: unknown,
  headers: Record<string, string> = {},
): Promise<Answer<PlaceAnswer>> {
  return call<PlaceAnswer>('POST', `${url}/api/orders`, { json: order, headers });
}

/** Places an order that must be accepted and gives its id. */
export async function place(
  url: string,
  order: NewOrder,
  headers: Record<string, string> = {},
): Promise<string> {
  const { status, text, body } = await post(url, order, headers);
  assert.equal(status, 201, text);
  return body.orderId;
}

/** GET of one order that must be there. */
export async function readOrder(url: string, orderId: string): Promise<OrderView> {
  const { status, text, body } = await call<OrderView>('GET', `${url}/api/orders/${orderId}`);
  assert.equal(status, 200, text);
  return body;
}

/**
 * Waits until the order has the status and gives the order as shown then. @throws after `seconds`,
 * showing the order
 */
export async function untilOrder(
  url: string,
  orderId: string,
  status: OrderStatus,
  seconds = 15,
): Promise<OrderView> {
  return await until(`order ${orderId} to be ${status}`, seconds, async () => {
    const order = await readOrder(url, orderId);
    if (order.status === status) return order;
    throw new Error(`it is ${JSON.stringify(order)}`);
  });
}

/** One page of GET /api/orders. */
export async function readPage(
  url: string,
  query: Record<string, string | number>,
): Promise<OrderPage> {
  const search = new URLSearchParams(
    Object.entries(query).map(([name, value]): [string, string] => [name, String(value)]),
  );
  const { status, text, body } = await call<OrderPage>('GET', `${url}/api/orders?${search}`);
  assert.equal(status, 200, text);
  return body;
}

/** All orders that the query finds, page by page, newest first. */
export async function readOrders(
  url: string,
  query: Record<string, string | number> = {},
): Promise<OrderListEntry[]> {
  const found: OrderListEntry[] = [];
  let pageToken: string | null = null;
  for (let pages = 0; pages < pagesMax; pages += 1) {
    const page: OrderPage = await readPage(url, {
      limit: 200,
      ...query,
      ...(pageToken !== null && { pageToken }),
    });
    found.push(...page.items);
    pageToken = page.nextPageToken;
    if (pageToken === null) return found;
  }
  throw new Error(`GET /api/orders did not end within ${pagesMax} pages`);
}
