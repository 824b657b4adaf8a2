import {
  type BookingRow,
  type EventRow,
  type Facts,
  type FulfillmentRow,
  notBooked,
  type OrderRow,
  type Standard,
} from '../../src/audit/facts.ts';

export const idOf = (number: number): string =>
  `01900000-0000-7000-8000-${String(number).padStart(12, '0')}`;

export const standard: Standard = {
  graceSeconds: 30,
  stuckAfterSeconds: 600,
  isStrict: false,
  orderEvents: undefined,
  fulfillmentEvents: undefined,
};

/** An order that was shipped an hour ago, as every station has it. */
export function shipped(
  id = idOf(1),
): Required<Facts> & { order: OrderRow; fulfillment: FulfillmentRow; booking: BookingRow } {
  return {
    id,
    order: {
      id,
      status: 'Shipped',
      sequence: 2,
      ageSeconds: 3_600,
      cancelAskedSeconds: null,
      shownStatus: 'Shipped',
      trackingNumber: 'T1',
      source: { topic: 'fulfillment-events', partition: 3, offset: '40' },
      content: 'c1',
    },
    orderEvents: [],
    fulfillment: {
      id,
      state: 'Shipped',
      sequence: 2,
      attempts: 1,
      attemptedAt: 1_000,
      isAttemptOpen: false,
      dueInSeconds: null,
      claimedBy: null,
      trackingNumber: 'T1',
      error: null,
      ageSeconds: 3_599,
      quietSeconds: 3_598,
      source: { topic: 'order-events', partition: 3, offset: '20' },
      content: 'c1',
    },
    fulfillmentEvents: [],
    cancellation: undefined,
    booking: { id, bookings: 1, trackingNumber: 'T1', posts: 1, content: 'c1' },
    deadLetters: [],
    isCorrected: false,
  };
}

/** The same order before the Fulfillment Service had it. */
export function created(ageSeconds: number, id = idOf(1)): Facts & { order: OrderRow } {
  const { order } = shipped(id);
  return {
    ...shipped(id),
    order: {
      ...order,
      status: 'Created',
      sequence: 0,
      ageSeconds,
      shownStatus: null,
      trackingNumber: null,
      source: null,
    },
    fulfillment: undefined,
    booking: notBooked(id),
  };
}

/** The same order while it is tried. */
export function retrying(
  ageSeconds: number,
  id = idOf(1),
): Facts & { order: OrderRow; fulfillment: FulfillmentRow } {
  const { order, fulfillment } = shipped(id);
  const open = { trackingNumber: null, ageSeconds };
  return {
    ...shipped(id),
    order: { ...order, ...open, status: 'Retrying', shownStatus: 'Retrying' },
    fulfillment: {
      ...fulfillment,
      ...open,
      state: 'Retrying',
      dueInSeconds: 12,
      attempts: 3,
      error: 'status 503',
    },
    booking: notBooked(id),
  };
}

export function anEvent(over: Partial<EventRow> = {}): EventRow {
  return {
    id: idOf(1),
    sequence: 1,
    eventType: 'OrderCreated',
    refused: null,
    ageSeconds: 1,
    ...over,
  };
}
