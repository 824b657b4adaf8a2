import { createHistogram } from 'node:perf_hooks';
import type { OrderStatus } from '@orders/contracts/orders/api';
import type { Posted } from './post-orders.ts';

/** How often something happened, and the invoice where it happened first. */
export type Count = { count: number; example: string };

export type Tally = {
  posted: number;
  /** Order id → invoice. */
  accepted: Map<string, string>;
  refused: Map<string, Count>;
  withoutVerdict: Map<string, Count>;
  otherAnswers: Map<string, number>;
  record(posted: Posted): void;
  recordOther(kind: string): void;
  /** Of the accepted orders, in milliseconds. */
  latency(): { p50: number; p95: number; p99: number; max: number };
};

/** Counts what happens to the orders of a run. */
export function createTally(): Tally {
  const latencyUs = createHistogram();
  const tally: Tally = {
    posted: 0,
    accepted: new Map(),
    refused: new Map(),
    withoutVerdict: new Map(),
    otherAnswers: new Map(),
    record(posted) {
      tally.posted += 1;
      const { invoiceNo } = posted.order;
      if (posted.verdict === 'accepted') {
        tally.accepted.set(posted.orderId, invoiceNo);
        latencyUs.record(Math.max(1, Math.round(posted.ms * 1000)));
      } else {
        countIn(
          posted.verdict === 'refused' ? tally.refused : tally.withoutVerdict,
          posted.reason,
          invoiceNo,
        );
      }
    },
    recordOther(kind) {
      tally.otherAnswers.set(kind, (tally.otherAnswers.get(kind) ?? 0) + 1);
    },
    latency() {
      const ms = (percentile: number) => latencyUs.percentile(percentile) / 1000;
      return { p50: ms(50), p95: ms(95), p99: ms(99), max: latencyUs.max / 1000 };
    },
  };
  return tally;
}

function countIn(counts: Map<string, Count>, reason: string, example: string): void {
  const known = counts.get(reason);
  if (known === undefined) counts.set(reason, { count: 1, example });
  else known.count += 1;
}

/**
 * How many of the accepted orders ended where; each accepted order is in exactly one of the five.
 */
export type Ends = {
  shipped: number;
  failed: number;
  cancelled: number;
  open: string[];
  lost: string[];
};

/**
 * Sorts the accepted orders by the last status seen. `open` and `lost` name invoices; what no list
 * showed is lost.
 */
export function endsOf(
  accepted: ReadonlyMap<string, string>,
  statuses: ReadonlyMap<string, OrderStatus>,
): Ends {
  const ends: Ends = { shipped: 0, failed: 0, cancelled: 0, open: [], lost: [] };
  for (const [orderId, invoiceNo] of accepted) {
    const status = statuses.get(orderId);
    if (status === 'Shipped') ends.shipped += 1;
    else if (status === 'Failed') ends.failed += 1;
    else if (status === 'Cancelled') ends.cancelled += 1;
    else if (status === undefined) ends.lost.push(invoiceNo);
    else ends.open.push(invoiceNo);
  }
  return ends;
}
