import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Database } from '../../src/postgres/database.ts';

type Plan = {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  Plans?: Plan[];
};

/** Remembers each statement that passes, with the values and the time of its last run. */
export function watchStatements(database: Database) {
  const seen = new Map<string, { text: string; ms: number }>();
  const watched: Database = {
    ...database,
    async query(statement, values) {
      const began = performance.now();
      const rows = await database.query(statement, values);
      seen.set(statement.name, { text: statement.text, ms: performance.now() - began });
      return rows as never;
    },
  };
  /** The parts of the statement's generic plan under the house's own settings. */
  const partsOf = async (name: string): Promise<Plan[]> => {
    const text = seen.get(name)?.text ?? '';
    const rows = await database.query(
      { name: '', text: `EXPLAIN (GENERIC_PLAN, FORMAT JSON) ${text}` },
      [],
    );
    const [{ Plan: top }] = (rows[0] as { 'QUERY PLAN': [{ Plan: Plan }] })['QUERY PLAN'];
    const all = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(all)];
    return all(top);
  };
  /** The tables that the statement would read as a whole. */
  const scans = async (name: string): Promise<string[]> =>
    (await partsOf(name)).flatMap((plan) =>
      plan['Node Type'] === 'Seq Scan' ? [plan['Relation Name'] ?? ''] : [],
    );
  /** The indexes that the statement would go through. */
  const indexes = async (name: string): Promise<string[]> =>
    (await partsOf(name)).flatMap((plan) => plan['Index Name'] ?? []);
  /**
   * Fails where a statement took longer than `slowMs` on the connection that planned it on empty
   * tables, or where its plan reads a whole table that it may not.
   */
  const assertPlanned = async (
    t: TestContext,
    slowMs: number,
    mayRead: (table: string, name: string) => boolean = () => false,
  ): Promise<void> => {
    const times = [...seen].map(([name, { ms }]) => ({ name, ms }));
    const slow = times.flatMap(({ name, ms }) =>
      ms > slowMs ? [`${name} ${Math.round(ms)} ms`] : [],
    );
    assert.deepEqual(slow, [], 'on the connection that planned them on empty tables');
    for (const { name } of times) {
      const read = (await scans(name)).filter((table) => !mayRead(table, name));
      assert.deepEqual(read, [], `${name} reads a whole table`);
    }
    t.diagnostic(times.map(({ name, ms }) => `${name} ${ms.toFixed(1)}`).join(', '));
  };
  return { watched, indexes, assertPlanned };
}
