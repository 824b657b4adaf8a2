import { insertEvents } from '@orders/platform/messaging/outbox-insert';
import type { OutboxRow } from '@orders/platform/messaging/outbox-store';
import {
  type DeadLetter,
  deadLetterParts,
  deadLetterValues,
} from '@orders/platform/messaging/store-or-bury';
import type { Database } from '@orders/platform/postgres/database';

/** A fulfillment about to be filed, with its FulfillmentStarted event. */
export type Filing = {
  orderId: string;
  partition: number;
  offset: string;
  payload: string;
  correlationId: string | null;
  traceparent: string | null;
  createdAt: string;
  publishedAt: string;
  /** Handed to the dispatcher of this instance: the insert is the record of the first attempt. */
  isHandedOver: boolean;
  event: OutboxRow;
};

/** A request to cancel an order, about to be filed. */
export type CancelFiling = {
  orderId: string;
  partition: number;
  offset: string;
  reason: string | null;
};

/** One batch of `order-events`; each list sorted by order id, each order once in it. */
export type Batch = { filings: Filing[]; cancellations: CancelFiling[]; letters: DeadLetter[] };

export type Filed = {
  /** Fulfillments that were new. */
  filed: Set<string>;
  /** Of these, whose first attempt is recorded for this instance. */
  handedOver: Set<string>;
  /** Requests to cancel that were new. */
  requested: Set<string>;
  /** Fulfillments that wait no longer, because they are to be cancelled. */
  due: Set<string>;
};

/** The statement of receiving: one autocommit statement for a whole batch. */
export function createFilingStore(database: Database, instance: string) {
  return {
    /**
     * Files what is not filed yet, each with its event (claimed for `eventClaimMs`, or free when
     * null), requests to cancel, and buries what was unreadable. Redelivery files nothing twice. An
     * order whose cancellation is requested is never handed over.
     */
    async file(
      topic: string,
      { filings, cancellations, letters }: Batch,
      times: { leaseMs: number; eventClaimMs: number | null },
    ): Promise<Filed> {
      const column = <T>(pick: (filing: Filing) => T): T[] => filings.map(pick);
      const rows = await database.query<{ order_id: string; what: string }>(fileStatement, [
        column((f) => f.orderId),
        column((f) => f.partition),
        column((f) => f.offset),
        column((f) => f.payload).join('\n'),
        column((f) => f.correlationId),
        column((f) => f.traceparent),
        column((f) => f.createdAt),
        column((f) => f.isHandedOver),
        column((f) => f.event.eventId),
        column((f) => f.event.payload).join('\n'),
        filings[0]?.event.topic ?? '',
        instance,
        times.leaseMs,
        times.eventClaimMs ?? 0,
        cancellations.map((c) => c.orderId),
        cancellations.map((c) => c.partition),
        cancellations.map((c) => c.offset),
        cancellations.map((c) => c.reason),
        ...deadLetterValues(topic, letters),
        column((f) => f.publishedAt),
      ]);
      const ids = (kind: string) =>
        new Set(rows.filter(({ what }) => what === kind).map((row) => row.order_id));
      const handedOver = ids('handed_over');
      return {
        filed: ids('filed').union(handedOver),
        handedOver,
        requested: ids('requested'),
        due: ids('due'),
      };
    },
  };
}

export type FilingStore = ReturnType<typeof createFilingStore>;

// No request to cancel is lost, whatever happens at the same moment: it locks the row of its order
// and marks it. A claim or a report that holds the lock ends first, and the mark is put on what it
// wrote (claimed: only marked, its report or the next claim sees it; waiting: due now); one that
// comes later reads the row anew. An order that is not filed yet is marked by its filing, and where
// both are filed at the same moment, by two instances, by the claim. Final rows stay as they are:
// due_at is null there.
// I5: an order that is filed already is not filed again. I10: a request locks the row.
const fileStatement = {
  name: 'fulfillment-file',
  text: `
    WITH input AS (
      SELECT *
      FROM unnest(
        $1::uuid[], $2::int[], $3::bigint[], string_to_array($4, E'\\n'), $5::text[], $6::text[],
        $7::timestamptz[], $8::bool[], $9::uuid[], string_to_array($10, E'\\n'), $27::timestamptz[])
        AS i (
          order_id, source_partition, source_offset, payload, correlation_id, traceparent,
          created_at, handed_over, event_id, event_payload, published_at)),
    ${deadLetterParts(19)},
    asked AS (
      SELECT *
      FROM unnest($15::uuid[], $16::int[], $17::bigint[], $18::text[])
        AS a (order_id, source_partition, source_offset, reason)),
    requested AS (
      INSERT INTO cancellations (order_id, source_topic, source_partition, source_offset, reason)
      SELECT order_id, $19, source_partition, source_offset, reason FROM asked
      ON CONFLICT DO NOTHING RETURNING order_id),
    marked AS (
      UPDATE fulfillments f
      SET cancel_requested = true,
        due_at = CASE WHEN f.claimed_by IS NULL THEN least(f.due_at, now()) ELSE f.due_at END
      FROM asked a
      WHERE f.order_id = a.order_id AND f.due_at IS NOT NULL AND NOT f.cancel_requested
      RETURNING f.order_id, f.claimed_by IS NULL AS is_due),
    judged AS (
      SELECT i.*,
        i.order_id = ANY ($15)
          OR coalesce((SELECT true FROM cancellations c WHERE c.order_id = i.order_id), false)
          AS is_unwanted
      FROM input i),
    filed AS (
      INSERT INTO fulfillments (
        order_id, source_topic, source_partition, source_offset, payload, correlation_id,
        traceparent, created_at, published_at, state, sequence, claim, claimed_by, attempts,
        attempt_open, attempted_at, due_at, cancel_requested)
      SELECT order_id, $19, source_partition, source_offset, payload, correlation_id, traceparent,
        created_at, published_at, 'Processing', 1, h.handed_over::int,
        CASE WHEN h.handed_over THEN $12::text END, h.handed_over::int, h.handed_over,
        CASE WHEN h.handed_over THEN now() END,
        CASE WHEN h.handed_over THEN now() + $13::int * interval '1 ms' ELSE now() END, is_unwanted
      FROM judged j CROSS JOIN LATERAL (SELECT j.handed_over AND NOT j.is_unwanted AS handed_over) h
      ON CONFLICT DO NOTHING RETURNING order_id, attempt_open),
    published AS (
      ${insertEvents(
        `SELECT order_id::text AS key, 1 AS sequence, $11 AS topic, event_id,
                'FulfillmentStarted' AS event_type, event_payload AS payload,
                correlation_id, traceparent
         FROM input JOIN filed USING (order_id)`,
        { by: '$12', ms: '$14' },
      )})
    SELECT order_id, CASE WHEN attempt_open THEN 'handed_over' ELSE 'filed' END AS what FROM filed
    UNION ALL
    SELECT order_id, 'requested'
    FROM requested
    UNION ALL
    SELECT order_id, 'due'
    FROM marked
    WHERE is_due`,
};
