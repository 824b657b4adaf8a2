import { contradictionRules } from './contradictions.ts';
import { type Facts, isFinal, type Rules, type Standard } from './facts.ts';
import type { Finding, FindingKind } from './report.ts';
import { age, whatIsKnown } from './what-is-known.ts';

const lostRules: Rules = {
  not_filed(facts, { graceSeconds, orderEvents }) {
    const { order, fulfillment } = facts;
    if (order === undefined || fulfillment !== undefined || facts.deadLetters.length > 0)
      return undefined;
    if (facts.orderEvents.some(({ eventType }) => eventType === 'OrderCreated')) return undefined;
    if (order.ageSeconds <= graceSeconds || orderEvents?.isCaughtUp === false) return undefined;
    return 'its event is published and no fulfillment was made of it';
  },
  not_projected({ order, fulfillment, fulfillmentEvents, deadLetters }, standard) {
    if (order === undefined || fulfillment === undefined || fulfillment.sequence <= order.sequence)
      return undefined;
    if (
      fulfillmentEvents.some(({ sequence }) => sequence >= fulfillment.sequence) ||
      deadLetters.length > 0
    )
      return undefined;
    if (
      fulfillment.quietSeconds <= standard.graceSeconds ||
      standard.fulfillmentEvents?.isCaughtUp === false
    )
      return undefined;
    return `event ${fulfillment.sequence} is published, the order shows ${order.sequence}`;
  },
  shipped_without_booking({ order, fulfillment, booking }) {
    const isShipped = fulfillment?.state === 'Shipped' || order?.status === 'Shipped';
    return isShipped && booking?.bookings === 0 ? 'the provider has no booking' : undefined;
  },
  cancel_not_filed(facts, { graceSeconds, orderEvents }) {
    const { order, fulfillment, cancellation, deadLetters } = facts;
    if (order === undefined || isFinal(order.status) || cancellation || deadLetters.length > 0)
      return undefined;
    if (fulfillment !== undefined && isFinal(fulfillment.state)) return undefined;
    if (facts.orderEvents.some(({ eventType }) => eventType === 'OrderCancellationRequested'))
      return undefined;
    if ((order.cancelAskedSeconds ?? 0) <= graceSeconds || orderEvents?.isCaughtUp === false)
      return undefined;
    return `asked to cancel ${age(order.cancelAskedSeconds ?? 0)} ago; the request is published and was not taken`;
  },
};

const doubledRules: Rules = {
  booked_more_than_once: ({ booking }) =>
    booking !== undefined && booking.bookings > 1 ? `${booking.bookings} bookings` : undefined,
};

const orphanedRules: Rules = {
  booking_without_fulfillment: ({ fulfillment, booking }) =>
    fulfillment === undefined && (booking?.bookings ?? 0) > 0
      ? `booked as ${booking?.trackingNumber}`
      : undefined,
  event_without_order: ({ order, orderEvents: [event] }) =>
    order === undefined && event !== undefined
      ? `${event.eventType} waits in the outbox`
      : undefined,
  event_without_fulfillment: ({ fulfillment, fulfillmentEvents: [event] }) =>
    fulfillment === undefined && event !== undefined
      ? `${event.eventType} waits in the outbox`
      : undefined,
  fulfillment_without_order: ({ order, fulfillment }, { isStrict }) =>
    isStrict && order === undefined && fulfillment !== undefined ? 'no such order' : undefined,
};

const stuckRules: Rules = {
  refused_event({ orderEvents, fulfillmentEvents }) {
    const event = [...orderEvents, ...fulfillmentEvents].find(({ refused }) => refused !== null);
    return event && `${event.eventType} was refused by the broker: ${event.refused}`;
  },
  dead_letter({ order, fulfillment, deadLetters: [reason] }) {
    const isUnheard =
      fulfillment === undefined || (order !== undefined && order.sequence < fulfillment.sequence);
    return isUnheard && reason !== undefined ? `its event is a dead letter: ${reason}` : undefined;
  },
  open_too_long({ order, fulfillment }, { stuckAfterSeconds }) {
    const isOpen = (status: string | undefined): boolean =>
      status !== undefined && !isFinal(status);
    if (!isOpen(order?.status) && !isOpen(fulfillment?.state)) return undefined;
    const openSeconds = openFor({ order, fulfillment });
    return openSeconds > stuckAfterSeconds ? `open for ${age(openSeconds)}` : undefined;
  },
};

function openFor({ order, fulfillment }: Pick<Facts, 'order' | 'fulfillment'>): number {
  if (fulfillment === undefined) return order?.ageSeconds ?? 0;
  // Only its last event has not arrived yet.
  return isFinal(fulfillment.state) ? fulfillment.quietSeconds : fulfillment.ageSeconds;
}

const rulesOf: [FindingKind, Rules][] = [
  ['lost', lostRules],
  ['doubled', doubledRules],
  ['orphaned', orphanedRules],
  ['contradictory', contradictionRules],
  ['stuck', stuckRules],
];

/**
 * Everything that is wrong with one order; none on the happy way. What is lost is not also called
 * stuck. Pure.
 */
export function judge(facts: Facts, standard: Standard): Finding[] {
  const found: Finding[] = [];
  for (const [kind, rules] of rulesOf) {
    if (kind === 'stuck' && found.some((finding) => finding.kind === 'lost')) continue;
    for (const [name, rule] of Object.entries(rules)) {
      const fault = rule(facts, standard);
      if (fault === undefined) continue;
      found.push({ kind, name, orderId: facts.id, detail: `${fault} (${whatIsKnown(facts)})` });
    }
  }
  return found;
}
