import type { Database } from '@orders/platform/postgres/database';

/** Which orders were changed by what was committed between two looks. */
export type ChangedSince = {
  /** What was visible to this look; the next one begins there. */
  snapshot: string;
  /** PostgreSQL's time of this look, in milliseconds. */
  atMs: number;
  orderIds: string[];
};

/**
 * The part of a statement that notes the orders of `changed` (a query with `order_id`) as changed;
 * every change of an order has it.
 */
export const noteChanges = (changed: string): string => `
  INSERT INTO order_changes (order_ids)
  SELECT array_agg(order_id)
  FROM ${changed}
  HAVING count(*) > 0`;

export function createOrderChangesStore(database: Database) {
  return {
    /** The changes since the snapshot; without one, none, and the snapshot to begin with. */
    async since(snapshot: string | null): Promise<ChangedSince> {
      const [row] = await database.query<ChangedSince>(sinceStatement, [snapshot]);
      if (row === undefined) throw new Error('no snapshot');
      return row;
    },
    /** Deletes up to `limit` rows older than `seconds`; resolves to how many. */
    async purge(seconds: number, limit: number): Promise<number> {
      return (await database.query(purgeStatement, [seconds, limit])).length;
    },
  };
}

export type OrderChangesStore = ReturnType<typeof createOrderChangesStore>;

const sinceStatement = {
  name: 'order-changes-since',
  text: `
    SELECT pg_current_snapshot()::text AS snapshot,
           (extract(epoch FROM now()) * 1000)::float8 AS "atMs",
           ARRAY(SELECT DISTINCT unnest(order_ids)
                 FROM order_changes
                 WHERE xid >= pg_snapshot_xmin($1::pg_snapshot)
                   AND NOT pg_visible_in_snapshot(xid, $1::pg_snapshot)) AS "orderIds"`,
};

const purgeStatement = {
  name: 'order-changes-purge',
  text: `
    DELETE FROM order_changes c
    USING (SELECT xid
           FROM order_changes
           WHERE at < now() - $1::int * interval '1 s'
           ORDER BY xid
           LIMIT $2
           FOR UPDATE SKIP LOCKED) old
    WHERE c.xid = old.xid RETURNING 1`,
};
