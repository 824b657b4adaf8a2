/** A walk through a table by its `order_id`; all of it is SQL. */
type Walk = {
  table: string;
  /** The columns that `matches` needs. */
  columns: string;
  /** Where the walk begins and ends, as an index finds it. */
  where: string;
  direction: 'ASC' | 'DESC';
  /** Rows that it may look at. */
  budget: string;
  /** Which of those rows are hits. */
  matches: string;
  /** One hit more than a page has, so that the page shows whether another one follows. */
  limitPlusOne: string;
};

/**
 * The parts `walked`, `hits` (their ids) and `ends` of a WITH: rows that no index leads to are
 * searched for, but only `budget` rows are looked at, however large the table is. Join `hits` to
 * `ends`, which has its one row also where nothing was found, and hand the rows to `pageOf`.
 */
export function boundedWalk(walk: Walk): string {
  const back = walk.direction === 'ASC' ? 'DESC' : 'ASC';
  return `
    walked AS MATERIALIZED (
      SELECT order_id, ${walk.columns}
      FROM ${walk.table}
      WHERE ${walk.where}
      ORDER BY order_id ${walk.direction}
      LIMIT ${walk.budget}),
    hits AS MATERIALIZED (
      SELECT order_id
      FROM walked
      WHERE ${walk.matches}
      ORDER BY order_id ${walk.direction}
      LIMIT ${walk.limitPlusOne}),
    ends AS (
      SELECT count(*)::int AS walked,
        (SELECT order_id FROM walked ORDER BY order_id ${back} LIMIT 1) AS "lastWalked"
      FROM walked)`;
}

/** A row of the answer; all but the ends is null where there was no hit. */
export type WalkRow = { walked: number; lastWalked: string | null; orderId: string | null };

/**
 * The hits of one page, and the id behind which the next one begins; null where the walk came to
 * its end. A page may be short, or empty, and still have a next one.
 */
export function pageOf<Row extends WalkRow>(
  rows: Row[],
  { budget, limit }: { budget: number; limit: number },
): { hits: Row[]; next: string | null } {
  const found = rows.filter(({ orderId }) => orderId !== null);
  const hits = found.slice(0, limit);
  if (found.length > limit) return { hits, next: hits.at(-1)?.orderId ?? null };
  const [ends] = rows;
  return { hits, next: ends?.walked === budget ? ends.lastWalked : null };
}
