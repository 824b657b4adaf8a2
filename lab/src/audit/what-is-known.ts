import type { EventRow, Facts, FulfillmentRow } from './facts.ts';

/** One line for people: where an order stands at each station. */
export function whatIsKnown({
  order,
  orderEvents,
  fulfillment,
  fulfillmentEvents,
  booking,
}: Facts): string {
  return [
    order === undefined ? 'no order' : `order ${order.status}, ${age(order.ageSeconds)} old`,
    ...orderEvents.map(inOutbox),
    fulfillment === undefined ? 'no fulfillment' : fulfillmentKnown(fulfillment),
    ...fulfillmentEvents.map(inOutbox),
    booking === undefined ? 'provider not asked' : `${booking.bookings} bookings`,
  ].join('; ');
}

function fulfillmentKnown({
  state,
  attempts,
  dueInSeconds,
  claimedBy,
  isAttemptOpen,
  error,
  source,
}: FulfillmentRow) {
  const due =
    dueInSeconds === null
      ? ''
      : dueInSeconds < 0
        ? `, due for ${age(-dueInSeconds)}`
        : `, due in ${age(dueInSeconds)}`;
  const lease = claimedBy === null || dueInSeconds === null ? '' : `, leased by ${claimedBy}`;
  const open = isAttemptOpen ? ', one open' : '';
  const last = error === null ? '' : `, last error: ${error.slice(0, 200)}`;
  const from = `from ${source.topic} ${source.partition}/${source.offset}`;
  return `fulfillment ${state} ${from}, ${attempts} attempts${open}${due}${lease}${last}`;
}

const inOutbox = ({ eventType, sequence, ageSeconds }: EventRow): string =>
  `${eventType} ${sequence} in the outbox for ${age(ageSeconds)}`;

/** A duration as people say it, to the second below an hour. */
export function age(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  return seconds < 7_200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3_600)} h`;
}
