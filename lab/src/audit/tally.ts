import type { Facts } from './facts.ts';
import type { Stations } from './report.ts';

/** Counts what is seen at each station while the orders go by. `hasLedger`: bookings are known. */
export function createTally(hasLedger: boolean) {
  const stations: Stations = {
    orders: 0,
    ordersByStatus: {},
    orderEventsUnpublished: 0,
    idempotencyKeys: 0,
    fulfillments: 0,
    fulfillmentsByState: {},
    fulfillmentEventsUnpublished: 0,
    projected: 0,
    foreign: 0,
    bookings: hasLedger ? 0 : null,
    booked: hasLedger ? 0 : null,
    deadLetters: 0,
    deadLettersUnpublished: 0,
  };
  return {
    stations,
    add({ order, orderEvents, fulfillment, fulfillmentEvents, booking }: Facts): void {
      if (order !== undefined) {
        stations.orders += 1;
        stations.ordersByStatus[order.status] = (stations.ordersByStatus[order.status] ?? 0) + 1;
      }
      if (fulfillment !== undefined) {
        const { state } = fulfillment;
        stations.fulfillments += 1;
        stations.fulfillmentsByState[state] = (stations.fulfillmentsByState[state] ?? 0) + 1;
        if (order === undefined) stations.foreign += 1;
        if (order?.sequence === fulfillment.sequence) stations.projected += 1;
      }
      stations.orderEventsUnpublished += orderEvents.length;
      stations.fulfillmentEventsUnpublished += fulfillmentEvents.length;
      if (
        booking === undefined ||
        booking.bookings === 0 ||
        stations.bookings === null ||
        stations.booked === null
      )
        return;
      stations.bookings += booking.bookings;
      stations.booked += 1;
    },
  };
}
