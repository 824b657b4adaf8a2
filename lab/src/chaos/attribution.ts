import type { OrderListEntry } from '@orders/contracts/orders/api';
import type { Reconciliation } from '../kit/reconcile.ts';
import type { SentOrder } from '../load/order-load.ts';
import type { Inflicted } from './inflict-fault.ts';

/** What one fault did to orders. */
export type FaultFigures = {
  kind: string;
  part: string;
  ms: number;
  /** Orders placed while it lasted. */
  placed: number;
  /** Orders that were on their way at some time while it lasted, from placed to Shipped. */
  under: number;
  /** Of these. */
  lost: number;
  doubled: number;
  stuck: number;
  /**
   * From its end until the first order that was placed after it is seen as Shipped; null where
   * there is none.
   */
  recoverMs: number | null;
  /** The busiest process while its database was away, in percent of a core. */
  cpuPercent?: number;
};

/** An order's way in time, in Date.now(); `to` is Infinity where it never got to Shipped. */
type Way = { mark: string; from: number; to: number };

/**
 * Attributes orders and what is wrong with them to the faults that lasted while they were on their
 * way.
 */
export function attribute(
  faults: readonly Inflicted[],
  sent: readonly SentOrder[],
  orders: readonly OrderListEntry[],
  found: Reconciliation,
): FaultFigures[] {
  const ways = waysOf(sent, orders);
  const [lost, doubled, stuck] = [
    marksOf(found.lost),
    marksOf(found.doubled),
    marksOf(found.stuck),
  ];
  return faults.map(({ fault, startedAt, endedAt, cpu }) => {
    const under = ways.filter(({ from, to }) => from <= endedAt && to >= startedAt);
    const count = (marks: Set<string>) => under.filter(({ mark }) => marks.has(mark)).length;
    const next = ways.find(({ from }) => from > endedAt);
    return {
      kind: fault.kind,
      part: fault.part,
      ms: endedAt - startedAt,
      placed: ways.filter(({ from }) => from >= startedAt && from <= endedAt).length,
      under: under.length,
      lost: count(lost),
      doubled: count(doubled),
      stuck: count(stuck),
      recoverMs:
        next === undefined || next.to === Number.POSITIVE_INFINITY ? null : next.to - endedAt,
      ...(cpu.length > 0 && { cpuPercent: Math.max(...cpu.map(({ percent }) => percent)) }),
    };
  });
}

/**
 * In order of their beginning. The system's own times: all its parts have the clock of this
 * machine.
 */
function waysOf(sent: readonly SentOrder[], orders: readonly OrderListEntry[]): Way[] {
  const known = new Set(orders.map(({ orderId }) => orderId));
  const shown = orders.map(({ customerName, createdAt, updatedAt, status }) => ({
    mark: customerName,
    from: Date.parse(createdAt),
    to:
      status === 'Shipped' || status === 'Cancelled'
        ? Date.parse(updatedAt)
        : Number.POSITIVE_INFINITY,
  }));
  const missing = sent.flatMap(({ mark, orderId }) =>
    orderId === undefined || known.has(orderId)
      ? []
      : [{ mark, from: timeInId(orderId), to: Number.POSITIVE_INFINITY }],
  );
  return [...shown, ...missing].sort((one, other) => one.from - other.from);
}

/** Order ids are UUIDv7: their first 48 bits are milliseconds since 1970. */
const timeInId = (orderId: string): number =>
  Number.parseInt(orderId.replace('-', '').slice(0, 12), 16);

/** Each line of a reconciliation that is about an order begins with its mark and a colon. */
const marksOf = (lines: readonly string[]): Set<string> =>
  new Set(lines.map((line) => line.slice(0, line.indexOf(':'))));
