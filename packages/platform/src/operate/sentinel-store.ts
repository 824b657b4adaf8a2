import type { StuckOrder, StuckPage, StuckQuery } from '@orders/contracts/operate/stuck';
import { fromPageToken, toPageToken } from '../http/paging.ts';
import type { Database } from '../postgres/database.ts';

/** The table whose rows a service's sentinel watches, and the column of their state. */
export type WatchedTable = { name: string; stateColumn: string };

const lowestId = '00000000-0000-0000-0000-000000000000';

/**
 * What both services keep of their sentinel: who is on watch (`sentinel`) and what is stuck
 * (`watched`).
 */
export function createSentinelStore(database: Database, instance: string, table: WatchedTable) {
  const pageStatement = stuckPageStatement(table);
  return {
    /** Takes or prolongs the watch for `lockMs`; false while another instance has it. */
    async hold(lockMs: number): Promise<boolean> {
      return (await database.query(holdStatement, [table.name, instance, lockMs])).length > 0;
    },
    /** How many are stuck, by reason. */
    async counts(): Promise<Map<string, number>> {
      const rows = await database.query<{ reason: string; count: number }>(countsStatement, []);
      return new Map(rows.map(({ reason, count }) => [reason, count]));
    },
    /** What is stuck, by order id, by keyset. */
    async page({ reason, limit, pageToken }: StuckQuery): Promise<StuckPage> {
      const after = pageToken === undefined ? lowestId : fromPageToken(pageToken);
      const rows = await database.query<StuckRow>(pageStatement, [
        after,
        reason ?? null,
        limit + 1,
      ]);
      const items = rows.slice(0, limit).map((row) => ({ ...row, since: row.since.toISOString() }));
      const last = items.at(-1);
      return {
        items,
        nextPageToken: rows.length > limit && last ? toPageToken(last.orderId) : null,
      };
    },
  };
}

export type SentinelStore = ReturnType<typeof createSentinelStore>;

type StuckRow = Omit<StuckOrder, 'since'> & { since: Date };

const holdStatement = {
  name: 'sentinel-lock',
  text: `
    UPDATE sentinel SET locked_by = $2, locked_until = now() + $3::int * interval '1 ms'
    WHERE name = $1 AND (locked_by = $2 OR locked_until < now()) RETURNING 1`,
};

const countsStatement = {
  name: 'sentinel-counts',
  text: 'SELECT reason, count(*)::int AS count FROM watched WHERE reason IS NOT NULL GROUP BY reason',
};

const stuckPageStatement = ({ name, stateColumn }: WatchedTable) => ({
  name: 'sentinel-page',
  text: `
    SELECT w.order_id AS "orderId", r.${stateColumn} AS state, w.reason, w.since,
      greatest(0, extract(epoch FROM now() - r.created_at))::int AS "ageSeconds"
    FROM watched w JOIN ${name} r ON r.order_id = w.order_id
    WHERE w.reason IS NOT NULL AND w.order_id > $1::uuid AND ($2::text IS NULL OR w.reason = $2)
    ORDER BY w.order_id LIMIT $3`,
});
