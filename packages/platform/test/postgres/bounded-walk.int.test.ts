import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { boundedWalk, pageOf, type WalkRow } from '../../src/postgres/bounded-walk.ts';
import { startTestPostgres } from '../kit/test-postgres.ts';

const postgres = await startTestPostgres();
const empty = import.meta.dirname;
const ends = {
  ASC: '00000000-0000-0000-0000-000000000000',
  DESC: 'ffffffff-ffff-ffff-ffff-ffffffffffff',
};
const byId = (a: string, b: string) => (a < b ? -1 : 1);

const walkStatement = (direction: 'ASC' | 'DESC') => ({
  name: `walk-${direction}`,
  text: `
    WITH ${boundedWalk({
      table: 'things',
      columns: 'is_hit',
      where: `order_id ${direction === 'ASC' ? '>' : '<'} $1::uuid`,
      direction,
      budget: '$2',
      matches: 'is_hit',
      limitPlusOne: '$3',
    })}
    SELECT ends.*, hits.order_id AS "orderId"
    FROM ends
    LEFT JOIN hits ON true
    ORDER BY hits.order_id ${direction}`,
});

test('page by page every hit comes once and in order, however few rows a page may look at', async (t) => {
  const { connect, sql } = await postgres.schema(t, empty);
  const database = connect('a', { connections: 1 });
  await sql('CREATE TABLE things (order_id uuid PRIMARY KEY, is_hit bool NOT NULL)');
  const anyThings = fc.uniqueArray(fc.tuple(fc.uuid(), fc.boolean()), {
    selector: ([id]) => id,
    maxLength: 30,
  });
  const anyBound = fc.integer({ min: 1, max: 12 });
  await fc.assert(
    fc.asyncProperty(
      anyThings,
      anyBound,
      anyBound,
      fc.constantFrom('ASC' as const, 'DESC' as const),
      async (things, limit, extra, direction) => {
        await sql('TRUNCATE things');
        await sql('INSERT INTO things SELECT * FROM unnest($1::uuid[], $2::bool[])', [
          things.map(([id]) => id),
          things.map(([, isHit]) => isHit),
        ]);
        const budget = limit + extra;
        const seen: string[] = [];
        let from: string | null = ends[direction];
        for (let pages = 0; from !== null; pages += 1) {
          assert.ok(pages <= things.length + 1, 'the walk ends');
          const rows: WalkRow[] = await database.query<WalkRow>(walkStatement(direction), [
            from,
            budget,
            limit + 1,
          ]);
          const { hits, next } = pageOf(rows, { budget, limit });
          assert.ok(hits.length <= limit && (rows[0]?.walked ?? 0) <= budget);
          seen.push(...hits.flatMap(({ orderId }) => orderId ?? []));
          from = next;
        }
        const sorted = things.flatMap(([id, isHit]) => (isHit ? [id] : [])).sort(byId);
        assert.deepEqual(seen, direction === 'ASC' ? sorted : sorted.reverse());
      },
    ),
    { numRuns: 60 },
  );
});
