import type { EventRow } from './facts.ts';
import { pageSize, pagesOf, type Schema } from './schema.ts';

// Copies of dead letters wait in the same table under a key of their own.
const columns = `key AS id, sequence, event_type AS "eventType", refused,
  extract(epoch FROM now() - created_at)::float8 AS "ageSeconds"`;

/** The unpublished events of a schema, sorted by order id. */
export function readOutbox(schema: Schema, name: string): AsyncGenerator<EventRow[]> {
  return pagesOf<EventRow, [string, number]>(
    (after) =>
      schema.query(
        `SELECT ${columns} FROM ${name}.outbox
         WHERE event_type <> 'DeadLetter' AND ${after === undefined ? '$1::text[] IS NULL' : '(key, sequence) > (($1::text[])[1], ($1::text[])[2]::int)'}
         ORDER BY key, sequence LIMIT ${pageSize}`,
        [after ?? null],
      ),
    (row) => [row.id, row.sequence],
  );
}

export const readOutboxOf = (schema: Schema, name: string, ids: string[]): Promise<EventRow[]> =>
  schema.query(
    `SELECT ${columns} FROM ${name}.outbox WHERE key = ANY ($1::text[]) ORDER BY key, sequence`,
    [ids],
  );

/** The dead letters with these keys; `resolution` is null where nobody has dealt with one. */
export const readDeadLettersOf = (
  schema: Schema,
  name: string,
  ids: string[],
): Promise<{ id: string; reason: string; resolution: string | null }[]> =>
  schema.query(
    `SELECT key AS id, reason, resolution FROM ${name}.dead_letters WHERE key = ANY ($1::text[])`,
    [ids],
  );

export async function countDeadLetters(
  schema: Schema,
  name: string,
): Promise<{ rows: number; unpublished: number }> {
  const [counts] = await schema.query<{ rows: number; unpublished: number }>(
    `SELECT (SELECT count(*)::int FROM ${name}.dead_letters) AS rows,
            (SELECT count(*)::int
             FROM ${name}.outbox
             WHERE event_type = 'DeadLetter') AS unpublished`,
  );
  return counts ?? { rows: 0, unpublished: 0 };
}
