import type {
  FulfillmentDetail,
  FulfillmentEntry,
  FulfillmentListQuery,
  FulfillmentPage,
} from '@orders/contracts/fulfillments/api';
import type { NewShipment } from '@orders/contracts/shipping';
import { fromPageToken, highestId, toPageToken } from '@orders/platform/http/paging';
import { boundedWalk, pageOf, type WalkRow } from '@orders/platform/postgres/bounded-walk';
import type { Database } from '@orders/platform/postgres/database';

/**
 * Rows that one page may look at while it searches for a state that no index has; a page may end
 * short because of it.
 */
const walkBudget = 2_000;
/** States that are never on the happy way have an index of their own. */
const attentionStates: string[] = ['Retrying', 'Failed', 'Cancelled'];

/** What the API reads of fulfillments; never locks. */
export function createFulfillmentQueries(database: Database) {
  return {
    async one(orderId: string): Promise<FulfillmentDetail | undefined> {
      const [row] = await database.query<DetailRow>(oneStatement, [orderId]);
      return row === undefined ? undefined : toDetail(row);
    },
    /**
     * By keyset over the order ids, from the highest down: newest first, where the ids carry the
     * time.
     */
    async page({ state, limit, pageToken }: FulfillmentListQuery): Promise<FulfillmentPage> {
      const before = pageToken === undefined ? highestId : fromPageToken(pageToken);
      const hasIndex = state !== undefined && attentionStates.includes(state);
      const budget = state === undefined || hasIndex ? limit + 1 : walkBudget;
      const statement = hasIndex ? attentionPageStatement : pageStatement;
      const values = [before, state ?? null, budget, limit + 1];
      const rows = await database.query<PageRow>(statement, values);
      const { hits, next } = pageOf(rows, { budget, limit });
      return { items: hits.map(toEntry), nextPageToken: next && toPageToken(next) };
    },
  };
}

export type FulfillmentQueries = ReturnType<typeof createFulfillmentQueries>;

type Moments = 'createdAt' | 'filedAt' | 'updatedAt' | 'shippedAt' | 'dueAt' | 'cancelRequestedAt';
type EntryRow = Omit<FulfillmentEntry, Moments> & {
  createdAt: Date;
  filedAt: Date;
  updatedAt: Date;
  shippedAt: Date | null;
  dueAt: Date | null;
  claimedBy: string | null;
  cancelRequestedAt: Date | null;
};
type PageRow = EntryRow & WalkRow;
type DetailRow = EntryRow & {
  sequence: number;
  failedAttempts: string;
  retriedAt: Date | null;
  topic: string;
  partition: number;
  offset: string;
  payload: string;
  correlationId: string | null;
};

const iso = (time: Date | null): string | null => time?.toISOString() ?? null;

function toEntry(row: EntryRow): FulfillmentEntry {
  const { orderId, state, attempts, errorMessage, trackingNumber, carrier } = row;
  const { isAttemptOpen, isHeld, isGivenUp } = row;
  return {
    orderId,
    state,
    attempts,
    errorMessage,
    trackingNumber,
    carrier,
    shippedAt: iso(row.shippedAt),
    createdAt: row.createdAt.toISOString(),
    filedAt: row.filedAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    dueAt: row.claimedBy === null ? iso(row.dueAt) : null,
    isHeld,
    isGivenUp,
    isAttemptOpen,
    cancelRequestedAt: iso(row.cancelRequestedAt),
  };
}

function toDetail(row: DetailRow): FulfillmentDetail {
  const { sequence, topic, partition, offset, claimedBy, dueAt, correlationId } = row;
  const { recipient, items } = JSON.parse(row.payload) as NewShipment;
  return {
    ...toEntry(row),
    sequence,
    failedAttempts: JSON.parse(row.failedAttempts),
    lease:
      claimedBy === null || dueAt === null ? null : { claimedBy, leaseUntil: dueAt.toISOString() },
    retriedAt: iso(row.retriedAt),
    source: { topic, partition, offset },
    recipient,
    items,
    correlationId,
  };
}

const columns = `
  f.order_id AS "orderId", f.state, f.attempts, f.error AS "errorMessage",
  f.tracking_number AS "trackingNumber", f.carrier, f.shipped_at AS "shippedAt",
  f.created_at AS "createdAt", f.filed_at AS "filedAt", f.updated_at AS "updatedAt",
  f.due_at AS "dueAt", f.claimed_by AS "claimedBy", f.held AS "isHeld",
  f.given_up AS "isGivenUp", f.attempt_open AS "isAttemptOpen",
  c.filed_at AS "cancelRequestedAt"`;

const oneStatement = {
  name: 'fulfillment-one',
  text: `
    SELECT ${columns}, f.sequence, f.failed_attempts AS "failedAttempts",
      f.retried_at AS "retriedAt", f.source_topic AS topic, f.source_partition AS partition,
      f.source_offset AS offset, f.payload, f.correlation_id AS "correlationId"
    FROM fulfillments f
    LEFT JOIN cancellations c USING (order_id)
    WHERE f.order_id = $1`,
};

const pageStatementOf = (name: string, condition: string) => ({
  name,
  text: `
    WITH ${boundedWalk({
      table: 'fulfillments',
      columns: 'state',
      where: `order_id < $1::uuid AND ${condition}`,
      direction: 'DESC',
      budget: '$3',
      matches: '$2::text IS NULL OR state = $2',
      limitPlusOne: '$4',
    })}
    SELECT ends.*, ${columns}
    FROM ends
    LEFT JOIN hits ON true
    LEFT JOIN fulfillments f ON f.order_id = hits.order_id
    LEFT JOIN cancellations c ON c.order_id = hits.order_id
    ORDER BY hits.order_id DESC`,
});

const pageStatement = pageStatementOf('fulfillment-page', 'true');
// The list of states makes the partial index usable: a parameter alone proves nothing to the
// planner.
const attentionPageStatement = pageStatementOf(
  'fulfillment-page-with-attention',
  "state = $2 AND state IN ('Retrying', 'Failed', 'Cancelled')",
);
