import { type Facts, isFinal, type Reader, type Rules, type Source } from './facts.ts';

/**
 * A statement that filed a cancellation may have been under way for so long when an attempt that
 * did not see it began.
 */
const statementSeconds = 5;

/**
 * Two places that say different things of the same order. What is merely on its way between them is
 * no contradiction.
 */
export const contradictionRules: Rules = {
  status_differs({ order, fulfillment }) {
    if (order === undefined || order.sequence === 0) return undefined;
    if (order.shownStatus !== order.status)
      return `order ${order.status}, its fulfillment shown as ${order.shownStatus}`;
    if (fulfillment === undefined || fulfillment.sequence !== order.sequence) return undefined;
    return order.status === fulfillment.state
      ? undefined
      : `order ${order.status}, fulfillment ${fulfillment.state}`;
  },
  status_without_event({ order }) {
    if (order === undefined) return undefined;
    const isBegun = order.status !== 'Created' && order.status !== 'Pending';
    return isBegun === order.sequence > 0
      ? undefined
      : `${order.status} with ${order.sequence} fulfillment events`;
  },
  tracking_number_differs({ order, fulfillment, booking }) {
    const numbers: Record<string, string | null> = {};
    if (fulfillment?.state === 'Shipped') numbers.fulfillment = fulfillment.trackingNumber;
    if (order?.status === 'Shipped') numbers.order = order.trackingNumber;
    // Of two bookings the ledger shows the first, and the second may be the one that was answered.
    if (booking?.bookings === 1) numbers.provider = booking.trackingNumber;
    const isShipped = 'fulfillment' in numbers || 'order' in numbers;
    if (!isShipped || new Set(Object.values(numbers)).size < 2) return undefined;
    return Object.entries(numbers)
      .map(([where, number]) => `${where} ${number}`)
      .join(', ');
  },
  shipped_without_tracking_number: ({ fulfillment }) =>
    fulfillment?.state === 'Shipped' && !fulfillment.trackingNumber
      ? 'no tracking number'
      : undefined,
  order_ahead: ({ order, fulfillment }) =>
    order !== undefined && fulfillment !== undefined && order.sequence > fulfillment.sequence
      ? `the order shows event ${order.sequence}, the fulfillment made ${fulfillment.sequence}`
      : undefined,
  final_with_open_attempt: ({ fulfillment }) =>
    fulfillment !== undefined && isFinal(fulfillment.state) && fulfillment.isAttemptOpen
      ? `${fulfillment.state} with an open attempt`
      : undefined,
  final_and_due: ({ fulfillment }) =>
    fulfillment !== undefined && isFinal(fulfillment.state) && fulfillment.dueInSeconds !== null
      ? `${fulfillment.state} and due for another attempt`
      : undefined,
  open_and_never_due: ({ fulfillment }) =>
    fulfillment !== undefined && !isFinal(fulfillment.state) && fulfillment.dueInSeconds === null
      ? `${fulfillment.state} and not due: nobody will take it up`
      : undefined,
  cancelled_with_booking: (facts) => bookedThough('Cancelled', facts),
  failed_with_booking: (facts) => bookedThough('Failed', facts),
  content_differs({ order, fulfillment, booking, isCorrected }) {
    const differ = (one: string | null | undefined, other: string | null | undefined) =>
      one != null && other != null && one !== other;
    if (differ(order?.content, fulfillment?.content) && !isCorrected)
      return 'customer or items of the order are not those of its fulfillment';
    return differ(fulfillment?.content, booking?.content)
      ? 'customer or items of the fulfillment are not those that the provider has booked'
      : undefined;
  },
  posts_exceed_attempts({ fulfillment, booking }) {
    const posts = booking?.posts ?? 0;
    return fulfillment !== undefined && posts > fulfillment.attempts
      ? `${posts} POSTs at the provider, ${fulfillment.attempts} attempts on record`
      : undefined;
  },
  sent_after_cancel({ fulfillment, cancellation }) {
    if (fulfillment?.state !== 'Shipped' || cancellation === undefined) return undefined;
    const laterBy = (fulfillment.attemptedAt ?? 0) - cancellation.filedAt;
    return laterBy > statementSeconds
      ? `the attempt that shipped began ${laterBy.toFixed(1)} s after the cancellation was filed`
      : undefined;
  },
  source_not_committed({ order, fulfillment }, { orderEvents, fulfillmentEvents }) {
    return beyond(fulfillment?.source, orderEvents) ?? beyond(order?.source, fulfillmentEvents);
  },
};

function bookedThough(state: string, { order, fulfillment, booking }: Facts): string | undefined {
  const said = fulfillment?.state ?? order?.status;
  return said === state && (booking?.bookings ?? 0) > 0
    ? `booked as ${booking?.trackingNumber}`
    : undefined;
}

/**
 * The in-process broker's offsets begin at the microsecond of its start; no topic of Kafka's ever
 * has as many events.
 */
const inProcessFrom = 10n ** 15n;

/**
 * A row is committed before its offset, so one beyond the group's offset for long was made from
 * another topic than this.
 */
function beyond(source: Source | null | undefined, reader: Reader | undefined): string | undefined {
  if (source === null || source === undefined || reader === undefined) return undefined;
  const committed = reader.committed(source.partition);
  const offset = BigInt(source.offset);
  if (committed === undefined || offset < committed || offset >= inProcessFrom) return undefined;
  return `made from ${source.topic} ${source.partition}/${source.offset}, the group has committed ${committed}`;
}
