import {
  type BookingRow,
  type CancellationRow,
  type EventRow,
  type Facts,
  type FulfillmentRow,
  notBooked,
  type OrderRow,
} from './facts.ts';
import { AuditError } from './report.ts';

export type Pages<Row> = AsyncIterable<Row[]>;

/** Streams of rows in pages, each sorted by id as text, by code units. */
export type Streams = {
  orders: Pages<OrderRow>;
  orderEvents: Pages<EventRow>;
  fulfillments: Pages<FulfillmentRow>;
  fulfillmentEvents: Pages<EventRow>;
  cancellations: Pages<CancellationRow>;
  /** Complete; undefined where the provider has no ledger. */
  bookings: Pages<BookingRow> | undefined;
};

/**
 * Walks all streams side by side and hands over what is known of each id, in order of id; holds one
 * page of each. Ends the streams in any case. Rejects with what a stream throws, and with
 * AuditError where one is not sorted.
 */
export async function joinStreams(streams: Streams, visit: (facts: Facts) => void): Promise<void> {
  const orders = createCursor('orders', streams.orders);
  const orderEvents = createCursor('order events', streams.orderEvents);
  const fulfillments = createCursor('fulfillments', streams.fulfillments);
  const fulfillmentEvents = createCursor('fulfillment events', streams.fulfillmentEvents);
  const cancellations = createCursor('cancellations', streams.cancellations);
  const bookings = createCursor("the provider's ledger", streams.bookings ?? nothing());
  const all = [orders, orderEvents, fulfillments, fulfillmentEvents, cancellations, bookings];
  try {
    for (;;) {
      for (const cursor of all) if (cursor.isDrained()) await cursor.fill();
      const id = smallest(all);
      if (id === undefined) return;
      visit({
        id,
        order: await first(orders, id),
        orderEvents: await take(orderEvents, id),
        fulfillment: await first(fulfillments, id),
        fulfillmentEvents: await take(fulfillmentEvents, id),
        cancellation: await first(cancellations, id),
        booking: (await first(bookings, id)) ?? (streams.bookings && notBooked(id)),
        deadLetters: [],
        isCorrected: false,
      });
    }
  } finally {
    for (const cursor of all) await cursor.close();
  }
}

type Cursor<Row> = ReturnType<typeof createCursor<Row & { id: string }>>;

function createCursor<Row extends { id: string }>(name: string, pages: Pages<Row>) {
  const iterator = pages[Symbol.asyncIterator]();
  let page: Row[] = [];
  let at = 0;
  let last = '';
  let isEnd = false;
  return {
    head: (): Row | undefined => page[at],
    isDrained: () => at >= page.length && !isEnd,
    async fill(): Promise<void> {
      // Ends because every page but the last brings a row.
      while (at >= page.length && !isEnd) {
        const next = await iterator.next();
        isEnd = next.done === true;
        page = next.done === true ? [] : next.value;
        at = 0;
      }
    },
    step(): void {
      const id = page[at]?.id ?? '';
      // A merge of streams that are not sorted would find no pair and call everything lost.
      if (id < last)
        throw new AuditError(
          `${name}: ${id} comes after ${last}, so it is not sorted and cannot be compared.`,
        );
      last = id;
      at += 1;
    },
    close: async (): Promise<void> => void (await iterator.return?.()),
  };
}

function smallest(cursors: Cursor<unknown>[]): string | undefined {
  let smallest: string | undefined;
  for (const cursor of cursors) {
    const id = cursor.head()?.id;
    if (id !== undefined && (smallest === undefined || id < smallest)) smallest = id;
  }
  return smallest;
}

async function first<Row extends { id: string }>(
  cursor: Cursor<Row>,
  id: string,
): Promise<Row | undefined> {
  return (await take(cursor, id))[0] as Row | undefined;
}

async function take<Row extends { id: string }>(cursor: Cursor<Row>, id: string): Promise<Row[]> {
  const rows: Row[] = [];
  for (;;) {
    if (cursor.isDrained()) await cursor.fill();
    const row = cursor.head();
    if (row?.id !== id) return rows;
    rows.push(row as Row);
    cursor.step();
  }
}

async function* nothing(): AsyncGenerator<never[]> {
  yield [];
}
