/** Where an event was read from. The name of the topic is ours, not Kafka's. */
export type Source = { topic: string; partition: number; offset: string };

/** A row of `orders`. Ages are PostgreSQL's, in seconds. */
export type OrderRow = {
  id: string;
  status: string;
  sequence: number;
  ageSeconds: number;
  /** Since it was asked to cancel; null where it was not. */
  cancelAskedSeconds: number | null;
  /** What the projected fulfillment says. */
  shownStatus: string | null;
  trackingNumber: string | null;
  source: Source | null;
  /** A hash of customer and items; null where the text cannot be read by PostgreSQL. */
  content: string | null;
};

/** A row of `fulfillments`. */
export type FulfillmentRow = {
  id: string;
  state: string;
  sequence: number;
  attempts: number;
  /** When the last attempt was put on record, in seconds since 1970 of its PostgreSQL. */
  attemptedAt: number | null;
  isAttemptOpen: boolean;
  /**
   * Until the next attempt or the end of the lease; negative when that is over, null where it has
   * none.
   */
  dueInSeconds: number | null;
  claimedBy: string | null;
  trackingNumber: string | null;
  error: string | null;
  /** Since it was filed, or since an operator retried it. */
  ageSeconds: number;
  /** Since it last changed. */
  quietSeconds: number;
  source: Source;
  /** As of the order: of what is sent to the provider. */
  content: string | null;
};

/** An event in an outbox; `id` is the order's. */
export type EventRow = {
  id: string;
  sequence: number;
  eventType: string;
  refused: string | null;
  ageSeconds: number;
};

/** What the provider has booked under a reference. */
export type BookingRow = {
  id: string;
  bookings: number;
  trackingNumber: string | null;
  /** Null where it is not known. */
  posts: number | null;
  /** As of the order: of the first booking; null where it is not known. */
  content: string | null;
};

/** What the provider's ledger has of a reference that it does not know. */
export const notBooked = (id: string): BookingRow => ({
  id,
  bookings: 0,
  trackingNumber: null,
  posts: 0,
  content: null,
});

/** `filedAt`: in seconds since 1970 of the Fulfillment Service's PostgreSQL. */
export type CancellationRow = { id: string; filedAt: number };

/** Everything that is known of one order. */
export type Facts = {
  id: string;
  order: OrderRow | undefined;
  orderEvents: EventRow[];
  fulfillment: FulfillmentRow | undefined;
  fulfillmentEvents: EventRow[];
  cancellation: CancellationRow | undefined;
  /** Undefined: not known, because the provider has no ledger. */
  booking: BookingRow | undefined;
  /** Reasons of unresolved dead letters with this order's key; only read of suspects. */
  deadLetters: string[];
  /** An operator has given its event another content; only read of suspects. */
  isCorrected: boolean;
};

/** What Kafka says of the reader of a topic. */
export type Reader = {
  /**
   * It has committed all that was written when the suspicion arose: what it has not stored by now,
   * it never will.
   */
  isCaughtUp: boolean;
  /** The next offset to be read; undefined where nothing is committed. */
  committed(partition: number): bigint | undefined;
};

/** What facts are judged against. Without Kafka there is no reader: published is then consumed. */
export type Standard = {
  /** An order or a change younger than this is on its way. */
  graceSeconds: number;
  stuckAfterSeconds: number;
  /** A fulfillment without an order is orphaned; otherwise it is a foreign producer's. */
  isStrict: boolean;
  orderEvents: Reader | undefined;
  fulfillmentEvents: Reader | undefined;
};

/** Says what is wrong, or undefined where nothing is. Pure. */
type Rule = (facts: Facts, standard: Standard) => string | undefined;
export type Rules = Record<string, Rule>;

const finals = ['Shipped', 'Failed', 'Cancelled'];
export const isFinal = (status: string): boolean => finals.includes(status);
