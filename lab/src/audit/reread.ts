import type { Dispatcher } from 'undici';
import { type BookingRow, type Facts, notBooked } from './facts.ts';
import { readCancellationsOf, readFulfillmentsOf } from './fulfillment-schema.ts';
import { lookUp, openLedger } from './ledger.ts';
import { readOrdersOf } from './orders-schema.ts';
import { readDeadLettersOf, readOutboxOf } from './outbox.ts';
import type { Schema } from './schema.ts';

/** Where the facts come from. */
export type Sources = {
  orders: Schema;
  fulfillment: Schema;
  provider: { url: string; dispatcher: Dispatcher };
};

const groupSize = 5_000;

/**
 * What is known of these orders now. `hasLedger`: the provider's whole ledger is read for it, else
 * each id is looked up there.
 */
export async function* reread(
  sources: Sources,
  ids: readonly string[],
  hasLedger: boolean,
): AsyncGenerator<Facts> {
  const bookings = hasLedger
    ? await inLedger(sources.provider, ids)
    : await lookUp(sources.provider, ids);
  for (let at = 0; at < ids.length; at += groupSize) {
    yield* await rereadGroup(sources, ids.slice(at, at + groupSize), bookings);
  }
}

/**
 * Reads a group of orders again by id. Along their way: each reader after what it reads from, so
 * that what has moved on in between is found where it went.
 */
async function rereadGroup(
  { orders, fulfillment }: Sources,
  ids: string[],
  bookings: ReadonlyMap<string, BookingRow>,
): Promise<Facts[]> {
  // References of the provider that are no order id are nowhere else.
  const uuids = ids.filter((id) => /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id));
  const orderEvents = Map.groupBy(await readOutboxOf(orders, 'orders', ids), ({ id }) => id);
  const fulfillments = byId(await readFulfillmentsOf(fulfillment, uuids));
  const cancellations = byId(await readCancellationsOf(fulfillment, uuids));
  const fulfillmentEvents = Map.groupBy(
    await readOutboxOf(fulfillment, 'fulfillment', ids),
    ({ id }) => id,
  );
  const orderRows = byId(await readOrdersOf(orders, uuids));
  const letters = [
    ...(await readDeadLettersOf(fulfillment, 'fulfillment', ids)),
    ...(await readDeadLettersOf(orders, 'orders', ids)),
  ];
  const reasons = Map.groupBy(letters, ({ id }) => id);
  return ids.map((id) => ({
    id,
    order: orderRows.get(id),
    orderEvents: orderEvents.get(id) ?? [],
    fulfillment: fulfillments.get(id),
    fulfillmentEvents: fulfillmentEvents.get(id) ?? [],
    cancellation: cancellations.get(id),
    booking: bookings.get(id),
    deadLetters: (reasons.get(id) ?? []).flatMap(({ resolution, reason }) =>
      resolution === null ? [reason] : [],
    ),
    isCorrected: (reasons.get(id) ?? []).some(({ resolution }) => resolution === 'corrected'),
  }));
}

async function inLedger(
  provider: Sources['provider'],
  ids: readonly string[],
): Promise<Map<string, BookingRow>> {
  const found = new Map(ids.map((id): [string, BookingRow] => [id, notBooked(id)]));
  for await (const page of (await openLedger(provider)) ?? []) {
    for (const booking of page) if (found.has(booking.id)) found.set(booking.id, booking);
  }
  return found;
}

const byId = <Row extends { id: string }>(rows: Row[]): Map<string, Row> =>
  new Map(rows.map((row) => [row.id, row]));
