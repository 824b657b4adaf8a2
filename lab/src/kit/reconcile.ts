import type { OrderListEntry } from '@orders/contracts/orders/api';
import type { LedgerEntry } from '@orders/contracts/shipping';
import type { SentOrder } from '../load/order-load.ts';

/**
 * What does not add up, in words; all lists empty means: nothing lost, nothing doubled, nothing
 * stuck.
 */
export type Reconciliation = {
  /** Accepted by a 201 and not there, or never booked. */
  lost: string[];
  /** Booked more than once, or a second order from one Idempotency-Key or one request. */
  doubled: string[];
  /** There and not Shipped. */
  stuck: string[];
  /** Orders and bookings that nobody can have asked for. */
  orphans: string[];
};

/** What a load has beside orders that must be shipped. */
export type Besides = {
  /** Orders that may be Cancelled, and are then not booked. */
  cancelled?: ReadonlySet<string>;
  /** Orders of another producer, booked once and not shown. */
  foreign?: readonly string[];
};

/**
 * Compares what a load was promised with the system's orders and the provider's ledger, each
 * complete. An order that its sender got no 201 for is allowed only where the request ended without
 * an answer, or with a 503, which is no "not created"; it too must be booked once.
 */
export function reconcile(
  sent: readonly SentOrder[],
  orders: readonly OrderListEntry[],
  ledger: ReadonlyMap<string, LedgerEntry>,
  { cancelled = new Set(), foreign = [] }: Besides = {},
): Reconciliation {
  const found: Reconciliation = { lost: [], doubled: [], stuck: [], orphans: [] };
  const byId = new Map(orders.map((order) => [order.orderId, order]));
  const byMark = Map.groupBy(orders, ({ customerName }) => customerName);
  for (const { mark, orderId, answers } of sent) {
    const made = byMark.get(mark) ?? [];
    if (orderId !== undefined && !byId.has(orderId))
      found.lost.push(`${mark}: order ${orderId} is not there`);
    if (made.length > 1)
      found.doubled.push(`${mark}: orders ${made.map((order) => order.orderId).join(', ')}`);
    const mayBeUnknown = answers.some((status) => status === 0 || status === 503);
    if (orderId === undefined && !mayBeUnknown)
      found.orphans.push(`${mark} was answered ${answers.join(', ')}`);
  }
  const marks = new Set(sent.map(({ mark }) => mark));
  for (const order of orders) {
    const bookings = ledger.get(order.orderId)?.bookings ?? 0;
    const said = `${order.customerName}: order ${order.orderId}, ${order.status}, ${bookings} booking(s)`;
    if (!marks.has(order.customerName)) found.orphans.push(`${said} was never sent`);
    const isCancelled = order.status === 'Cancelled' && cancelled.has(order.orderId);
    if (isCancelled && bookings > 0) found.orphans.push(`${said} is booked`);
    if (order.status !== 'Shipped' && !isCancelled)
      found.stuck.push(`${said} ${JSON.stringify(order.fulfillment)}`);
    if (order.status === 'Shipped' && bookings === 0) found.lost.push(said);
    if (bookings > 1) found.doubled.push(said);
    const shown = order.fulfillment?.trackingNumber;
    if (
      bookings > 0 &&
      order.status === 'Shipped' &&
      shown !== ledger.get(order.orderId)?.trackingNumber
    ) {
      found.orphans.push(`${said} shows tracking number ${shown}`);
    }
  }
  for (const id of foreign) {
    const bookings = ledger.get(id)?.bookings ?? 0;
    if (bookings === 0) found.lost.push(`foreign: ${id} is not booked`);
    if (bookings > 1) found.doubled.push(`foreign: ${id} is booked ${bookings} times`);
  }
  for (const { reference, bookings } of ledger.values()) {
    if (bookings > 0 && !byId.has(reference) && !foreign.includes(reference))
      found.orphans.push(`a booking for ${reference}, which is no order`);
  }
  return found;
}
