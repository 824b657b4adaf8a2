// Station 8 of 9: report. From the dispatcher (7) come decisions; each is committed with the event
// that tells it, together with its neighbours; then the event goes to the relay (4).
import type { OutboxRelay } from '@orders/platform/messaging/outbox-relay';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import { whatFailed } from '@orders/platform/postgres/database';
import { createBatcher } from '@orders/platform/process/batcher';
import type { Log } from '@orders/platform/process/log';
import type { Claimed, Decision } from '../fulfillment.ts';
import { toEvent, toOutboxRow } from '../fulfillment-event.ts';
import type { Reporting, ReportStore } from './report-store.ts';

const batchItemsMax = 256;
const batchBytesMax = 2_000_000;
/** More than the dispatcher can hold. */
const queueMax = 20_000;
/** A report waits this long for company; it is what the customer waits for, so not long. */
const lingerMs = 2;
const lingerItems = 64;
const conflictRetriesMax = 3;

export type ReportOutcome = {
  /**
   * Resolves to whether the decision was written: false means that the claim is no longer ours and
   * somebody else decides. Rejects when the store fails; nothing is lost then, the lease ends and
   * the row is taken up again.
   */
  report(claimed: Claimed, decision: Decision): Promise<boolean>;
  close(): Promise<void>;
};

export function createReportOutcome(parts: {
  store: ReportStore;
  relay: OutboxRelay;
  log: Log;
}): ReportOutcome {
  const { store, relay } = parts;
  const log = parts.log.child({ station: 'report' });
  const reports = createBatcher<Reporting, boolean>({
    name: 'report',
    itemsMax: batchItemsMax,
    bytesMax: batchBytesMax,
    bytesOf: ({ event }) => event?.payload?.length ?? 0,
    queueMax,
    lingerMs,
    lingerItems,
    splitOn: (error) => whatFailed(error) === 'data',
    flush: async (batch) => {
      const sorted = batch.toSorted((a, b) => (a.decision.orderId < b.decision.orderId ? -1 : 1));
      const isHot = relay.isHot;
      const written = await write(sorted, isHot ? relay.claimMs : null);
      const done = sorted.filter(({ decision }) => written.has(decision.orderId));
      const events = done.map(({ event }) => event).filter((event) => event !== null);
      if (isHot && events.length > 0) relay.offer(events);
      if (done.length > 0) log.info({ orders: done.map(toLogged) }, 'outcomes reported');
      return batch.map(({ decision }) => written.has(decision.orderId));
    },
  });

  /**
   * A deadlock has a verdict, nothing was written: giving up would cost every order of the batch
   * its lease and a look-up.
   */
  async function write(batch: Reporting[], eventClaimMs: number | null): Promise<Set<string>> {
    for (let retries = 0; ; retries += 1) {
      try {
        return await store.report(batch, eventClaimMs);
      } catch (error) {
        if (whatFailed(error) !== 'conflict' || retries === conflictRetriesMax) throw error;
      }
    }
  }

  return {
    async report(claimed, decision) {
      const isOurs = await reports.add({ decision, event: toRow(claimed, decision) });
      if (!isOurs)
        log.warn(
          { orderId: claimed.orderId, correlationId: claimed.correlationId },
          'claim lost, outcome not written',
        );
      return isOurs;
    },
    close: () => reports.close(),
  };
}

function toRow(claimed: Claimed, decision: Decision): OutboxRow | null {
  if (decision.eventType === null) return null;
  return toOutboxRow(toEvent(claimed, decision, decision.eventType, new Date()), claimed);
}

function toLogged({ decision, event }: Reporting) {
  const { orderId, state, attempts, error } = decision;
  return {
    orderId,
    correlationId: event?.correlationId,
    state,
    attempts,
    ...(error !== null && { error }),
  };
}
