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
  return {
    watched,
    scans,
    indexes,
    names: () => [...seen.keys()],
    msOf: (name: string) => seen.get(name)?.ms ?? 0,
  };
}
