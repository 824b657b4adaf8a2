/** What came of one call to the provider, or of the decision not to call. */
export type Outcome =
  | {
      kind: 'shipped';
      trackingNumber: string;
      carrier: string | null;
      shippedAt: string;
      /** Where the answer differs from the contract, though it could be used. */
      deviations?: string[];
    }
  /** The provider will never take it. */
  | { kind: 'refused'; error: string }
  /** The provider did not book it and may be asked again, not before `retryAfterMs`. */
  | { kind: 'not_booked'; error: string; retryAfterMs: number; status?: number }
  /** The call did not leave: no connection, or none whose handshake was completed. */
  | { kind: 'not_sent'; error: string }
  /** The breaker let no call leave. That says nothing of this order, so it never fails for it. */
  | { kind: 'put_off'; error: string }
  /** The provider takes none of our calls: address, account, credentials or certificate. */
  | { kind: 'misconfigured'; error: string }
  /** The shipment may exist: only a look-up can tell. The answer may be that of another order. */
  | { kind: 'unknown'; error: string; status?: number; isForeign?: true }
  /** A look-up found no shipment. */
  | { kind: 'not_found' }
  /**
   * A look-up got no answer; none comes before `retryAfterMs` either, where the provider says so.
   */
  | {
      kind: 'no_answer';
      error: string;
      retryAfterMs?: number;
      status?: number;
      isForeign?: true;
    }
  /** Its cancellation was requested before the call left. */
  | { kind: 'cancelled' }
  /** The lease was too old to send: the row goes back as it was. */
  | { kind: 'handed_back' };

/** Outcomes of which the provider knows nothing. */
export const nobodyCalled: ReadonlySet<Outcome['kind']> = new Set([
  'put_off',
  'cancelled',
  'handed_back',
]);

/**
 * These go on for as long as an outage lasts: only the last of a row of equal ones is kept, or they
 * would crowd out the attempts.
 */
export const notAttempts: ReadonlySet<Outcome['kind']> = new Set([
  'not_sent',
  'put_off',
  'misconfigured',
  'no_answer',
  'not_found',
]);

const providerWide = new Set<Outcome['kind']>([
  'put_off',
  'not_sent',
  'misconfigured',
  'no_answer',
]);

/** The provider asks for fewer calls, of whatever order. */
export const isTooMany = (outcome: Outcome): boolean =>
  'status' in outcome && outcome.status === 429;

/** Whether the order waits for the provider rather than for itself. */
export const isOfProvider = (outcome: Outcome): boolean =>
  providerWide.has(outcome.kind) || isTooMany(outcome);
