/** What can be wrong with an order. Any of them makes the audit fail. */
export const findingKinds = ['lost', 'doubled', 'orphaned', 'contradictory', 'stuck'] as const;
export type FindingKind = (typeof findingKinds)[number];

export type Finding = {
  kind: FindingKind;
  /** What exactly, in snake case: `not_filed`, `booked_more_than_once`, … See docs/operating.md. */
  name: string;
  /** The order, or the provider's reference that is no order. */
  orderId: string;
  /** What is known, for people. */
  detail: string;
};

/**
 * How many things were seen at each station of the way; orders by the status they show,
 * fulfillments by their state.
 */
export type Stations = {
  orders: number;
  ordersByStatus: Record<string, number>;
  /** Events in the Order Service's outbox, without dead letters. */
  orderEventsUnpublished: number;
  idempotencyKeys: number;
  fulfillments: number;
  fulfillmentsByState: Record<string, number>;
  fulfillmentEventsUnpublished: number;
  /** Fulfillments whose newest event the order shows. */
  projected: number;
  /** Fulfillments of orders that the Order Service does not have: from another producer. */
  foreign: number;
  /**
   * Bookings in the provider's ledger, and the orders that they are for; null where it has no
   * ledger.
   */
  bookings: number | null;
  booked: number | null;
  /**
   * Rows of `dead_letters`, and of these the copies for `<topic>.dlq` that are not published yet.
   */
  deadLetters: number;
  deadLettersUnpublished: number;
};

type PartitionLag = { partition: number; committed: number; end: number; lag: number };

/** A topic as Kafka has it. */
export type TopicReport = {
  topic: string;
  group: string;
  /** Events that the group has not committed. */
  lag: number;
  partitions: PartitionLag[];
  /** Records that were ever written to `<topic>.dlq`. */
  deadLetterRecords: number;
};

/** What an audit saw; the content of `--json FILE`. */
export type AuditReport = {
  /** True when there is no finding. */
  ok: boolean;
  startedAt: string;
  seconds: number;
  mode: 'embedded' | 'kafka';
  /** `none`: the provider has no ledger, only suspects were looked up there. */
  ledger: 'complete' | 'none';
  stations: Stations;
  /** Empty without Kafka. */
  topics: TopicReport[];
  /** Orders that looked wrong at first and were read again. */
  suspects: number;
  /**
   * Suspects beyond the limit, which were not read again: neither cleared nor in `findings`. Not 0:
   * the audit has failed.
   */
  suspectsLeftOut: number;
  counts: Record<FindingKind, number>;
  /** Sorted by kind, name and order id. */
  findings: Finding[];
  notes: string[];
};

/**
 * The audit could not look: something is away or is not what it should be. The message is for
 * people.
 */
export class AuditError extends Error {
  override name = 'AuditError';
}
