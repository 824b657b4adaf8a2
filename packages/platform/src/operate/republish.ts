import type {
  RepublishAnswer,
  RepublishFilter,
  RepublishRequest,
} from '@orders/contracts/operate/republish';
import { fromPageToken, highestId, toPageToken } from '../http/paging.ts';
import { bodyError } from '../http/request-validation.ts';
import type { OutboxRow } from '../messaging/outbox-store.ts';
import type { PlannedEvent, RepublishStore } from './republish-store.ts';

/**
 * An order with the events of its present state, made again from its row: same ids and sequences
 * as the first copies.
 */
export type OrderWithEvents = { orderId: string; state: string; events: OutboxRow[] };

/** Rows read at once, and bytes written at once: an order may be hundreds of kilobytes. */
const readMax = 5;
const writeBytesMax = 4_000_000;

/**
 * Sends events again that were published and not consumed: lost by the broker, past its retention,
 * behind an offset that was reset. Harmless where they were consumed: readers go by order id and
 * sequence.
 */
export function createRepublish<F extends RepublishFilter>(parts: {
  store: RepublishStore;
  stateOf: (filter: F) => string;
  /** Of the orders that exist, sorted by order id, then sequence. */
  readOrders: (orderIds: string[]) => Promise<OrderWithEvents[]>;
}) {
  const { store, stateOf, readOrders } = parts;

  /**
   * A repeated request sends what has been published meanwhile once more, and leaves what still
   * waits.
   */
  return async (request: RepublishRequest<F>, operator: string): Promise<RepublishAnswer> => {
    const { dryRun, ratePerSecond, reason } = request;
    const { orderIds, next } = await select(request);
    const record = { operator, reason, request };
    const plan = (events: Sending[]) => (dryRun ? store.plan(events) : store.send(events, record));
    const touched: OrderWithEvents[] = [];
    const planned: PlannedEvent[] = [];
    let gathered: Sending[] = [];
    let bytes = 0;
    let count = 0;
    for (let i = 0; i < orderIds.length; i += readMax) {
      const some = await readOrders(orderIds.slice(i, i + readMax));
      touched.push(...some.map(({ orderId, state }) => ({ orderId, state, events: [] })));
      for (const row of some.flatMap(({ events }) => events)) {
        gathered.push({ row, delayMs: (count * 1_000) / ratePerSecond });
        bytes += row.payload?.length ?? 0;
        count += 1;
      }
      if (bytes <= writeBytesMax) continue;
      planned.push(...(await plan(gathered)).map(withoutPayload));
      gathered = [];
      bytes = 0;
    }
    if (gathered.length > 0) planned.push(...(await plan(gathered)));
    return toAnswer({ dryRun, orderIds, touched, planned, next });
  };

  async function select(
    request: RepublishRequest<F>,
  ): Promise<{ orderIds: string[]; next: string | null }> {
    const { orderIds, filter, limit, pageToken } = request;
    if ((orderIds === undefined) === (filter === undefined))
      throw bodyError('', 'must have either orderIds or filter');
    if (filter === undefined) {
      if (pageToken !== undefined) throw bodyError('/pageToken', 'goes with a filter');
      const unique = new Set(orderIds?.map((id) => id.toLowerCase()));
      return { orderIds: [...unique].sort(), next: null };
    }
    const before = pageToken === undefined ? highestId : fromPageToken(pageToken, 'body');
    const found = await store.find(stateOf(filter), filter, { before, limit });
    return { ...found, orderIds: found.orderIds.toSorted() };
  }
}

type Sending = { row: OutboxRow; delayMs: number };

/** What has been written need not stay in memory. */
const withoutPayload = (event: PlannedEvent): PlannedEvent => ({
  ...event,
  row: { ...event.row, payload: null },
});

function toAnswer(done: {
  dryRun: boolean;
  orderIds: string[];
  touched: OrderWithEvents[];
  planned: PlannedEvent[];
  next: string | null;
}): RepublishAnswer {
  const { dryRun, orderIds, touched, planned, next } = done;
  const byOrder = Map.groupBy(planned, ({ row }) => row.key);
  const known = new Set(touched.map(({ orderId }) => orderId));
  return {
    dryRun,
    touched: touched.map(({ orderId, state }) => ({
      orderId,
      state,
      events: (byOrder.get(orderId) ?? []).map(toEvent),
    })),
    skipped: orderIds
      .filter((id) => !known.has(id))
      .map((orderId) => ({ orderId, why: 'there is no such order here' })),
    more: next !== null,
    nextPageToken: next === null ? null : toPageToken(next),
  };
}

function toEvent({ row: { eventType, sequence, eventId }, sendAt }: PlannedEvent) {
  return { eventType, sequence, eventId, sendAt: sendAt?.toISOString() ?? null };
}
