import type {
  OrderListEntry,
  OrderListQuery,
  OrderPage,
  OrderView,
} from '@orders/contracts/orders/api';
import { fromPageToken, highestId, toPageToken } from '@orders/platform/http/paging';
import { parameterError } from '@orders/platform/http/request-validation';
import { boundedWalk, pageOf, type WalkRow } from '@orders/platform/postgres/bounded-walk';
import type { Database } from '@orders/platform/postgres/database';
import { CodedError } from '@orders/platform/process/errors';
import { cancellationOf, firstIdAt } from '../order.ts';
import type { OrderHistory } from './timeline.ts';

/**
 * Rows that one page may look at while it searches for a status that no index has; a page may end
 * short because of it.
 */
const walkBudget = 2_000;
/** Statuses that are never on the happy way have an index of their own. */
const attentionStatuses: string[] = ['Pending', 'Retrying', 'Failed', 'Cancelled'];

/** What the API reads of orders; never locks. */
export function createOrderQueries(database: Database) {
  return {
    /** Rejects with CodedError order_not_found. */
    async one(orderId: string): Promise<OrderView> {
      const [row] = await database.query<OrderRow & { items: OrderView['items'] }>(oneStatement, [
        orderId,
      ]);
      if (row === undefined) throw notFound(orderId);
      return { ...toEntry(row), items: row.items };
    },
    /** Where the order stands. Rejects with CodedError order_not_found. */
    async status(orderId: string): Promise<OrderView['status']> {
      const [entry] = await this.some([orderId]);
      if (entry === undefined) throw notFound(orderId);
      return entry.status;
    },
    /** Those of these orders that exist, without their items, in no order. */
    async some(orderIds: string[]): Promise<OrderEntry[]> {
      return (await database.query<OrderRow>(someStatement, [orderIds])).map(toEntry);
    },
    /** What the timeline of an order is made from. Rejects with CodedError order_not_found. */
    async history(orderId: string): Promise<OrderHistory> {
      const [row] = await database.query<OrderHistory>(historyStatement, [orderId]);
      if (row === undefined) throw notFound(orderId);
      return row;
    },
    /** Newest first, by keyset over the order ids, which carry the time. */
    async page(query: OrderListQuery): Promise<OrderPage> {
      const { status, customerId, limit } = query;
      const before =
        query.pageToken === undefined
          ? upperBound(query.createdTo)
          : fromPageToken(query.pageToken);
      const from = firstIdAt(timeOf('createdFrom', query.createdFrom ?? '1970-01-01T00:00:00Z'));
      const byAttention =
        customerId === undefined && status !== undefined && attentionStatuses.includes(status);
      const walk = byAttention ? 'attention' : customerId === undefined ? 'all' : 'customer';
      const budget = status === undefined || byAttention ? limit + 1 : walkBudget;
      const rows = await database.query<PageRow>(pageStatements[walk], [
        before,
        from,
        customerId ?? status ?? null,
        status ?? null,
        budget,
        limit + 1,
      ]);
      const { hits, next } = pageOf(rows, { budget, limit });
      const items = hits.map((row) => ({ ...toEntry(row), itemCount: row.item_count }));
      return { items, nextPageToken: next && toPageToken(next) };
    },
  };
}

const notFound = (orderId: string): CodedError =>
  new CodedError('order_not_found', `There is no order ${orderId}.`);

/** An order as lists show it, but for the count of its items. */
export type OrderEntry = Omit<OrderListEntry, 'itemCount'>;

export type OrderQueries = ReturnType<typeof createOrderQueries>;

/** The exclusive bound above `createdTo`, which itself is included. */
function upperBound(createdTo: string | undefined): string {
  return createdTo === undefined
    ? highestId
    : firstIdAt(new Date(timeOf('createdTo', createdTo).getTime() + 1));
}

/** Some moments of RFC 3339 are none to JavaScript: a leap second. */
function timeOf(parameter: string, moment: string): Date {
  const time = new Date(moment);
  if (!Number.isNaN(time.getTime())) return time;
  throw parameterError(parameter, 'must be a time');
}

type OrderRow = Omit<OrderEntry, 'createdAt' | 'updatedAt' | 'cancellation'> & {
  createdAt: Date;
  updatedAt: Date;
  cancelRequestedAt: Date | null;
};
type PageRow = OrderRow & WalkRow & { item_count: number };

function toEntry({ cancelRequestedAt, ...row }: OrderRow): OrderEntry {
  return {
    ...row,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
    cancellation: cancellationOf(row.status, cancelRequestedAt),
  };
}

const columns = `
  o.order_id AS "orderId", o.status, o.publish_failed AS "publishFailed", o.customer_id AS "customerId",
  o.customer_name AS "customerName", o.currency, o.total::text AS total, o.created_at AS "createdAt",
  o.updated_at AS "updatedAt", o.cancel_requested_at AS "cancelRequestedAt", o.fulfillment`;

const oneStatement = {
  name: 'order-one',
  text: `SELECT ${columns}, o.items FROM orders o WHERE o.order_id = $1`,
};

const someStatement = {
  name: 'order-some',
  text: `SELECT ${columns} FROM orders o WHERE o.order_id = ANY ($1::uuid[])`,
};

const historyStatement = {
  name: 'order-history',
  text: `
    SELECT o.order_id AS "orderId", o.created_at AS "createdAt",
           o.cancel_requested_at AS "cancelRequestedAt", o.cancel_reason AS "cancelReason",
           o.fulfillment,
           NOT EXISTS (
             SELECT FROM outbox
             WHERE key = o.order_id::text AND sequence = 1) AS published
    FROM orders o
    WHERE o.order_id = $1`,
};

const pageStatement = (name: string, condition: string) => ({
  name: `order-page-${name}`,
  text: `
    WITH ${boundedWalk({
      table: 'orders',
      columns: 'status',
      where: `order_id < $1::uuid AND order_id >= $2::uuid AND ${condition}`,
      direction: 'DESC',
      budget: '$5',
      matches: '$4::text IS NULL OR status = $4',
      limitPlusOne: '$6',
    })}
    SELECT ends.*, o.item_count, ${columns}
    FROM ends
    LEFT JOIN hits ON true
    LEFT JOIN orders o ON o.order_id = hits.order_id
    ORDER BY hits.order_id DESC`,
});

const pageStatements = {
  all: pageStatement('all', '($3::text IS NULL OR true)'),
  customer: pageStatement('of-customer', 'customer_id = $3'),
  attention: pageStatement('with-attention', 'attention = $3'),
};
