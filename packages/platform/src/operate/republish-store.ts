import type { RepublishFilter } from '@orders/contracts/operate/republish';
import { insertLaterEvents } from '../messaging/outbox-insert.ts';
import type { OutboxRow } from '../messaging/outbox-store.ts';
import { boundedWalk, pageOf, type WalkRow } from '../postgres/bounded-walk.ts';
import type { Database } from '../postgres/database.ts';
import { insertAction } from './operator-journal.ts';

/**
 * How a service's own table is walked: its name, the column of the state, and the states that an
 * index leads to.
 */
export type RepublishTable = {
  name: string;
  stateColumn: string;
  indexedStates: readonly string[];
  /** With the state as `$4`: true only for rows of that index. */
  indexCondition: string;
};

/** An event as it would be sent: `sendAt` is null where it waits in the outbox already. */
export type PlannedEvent = { row: OutboxRow; delayMs: number; sendAt: Date | null };
export type RepublishRecord = { operator: string; reason: string; request: object };

/** Rows that a selection may look at; a page may be short, or empty, because of it. */
const walkBudget = 20_000;

/** The statements of republishing: what to send again, and the way into the outbox. */
export function createRepublishStore(database: Database, table: RepublishTable) {
  const { all, indexed } = walkStatements(table);
  return {
    /**
     * Up to `limit` ids of rows in a state, from the highest id below `before` down; `next` is
     * where to go on.
     */
    async find(
      state: string,
      { olderThanSeconds = 0, createdFrom, createdTo }: RepublishFilter,
      { before, limit }: { before: string; limit: number },
    ): Promise<{ orderIds: string[]; next: string | null }> {
      const isIndexed = table.indexedStates.includes(state);
      const window = [before, createdFrom ?? null, createdTo ?? null, state, olderThanSeconds];
      const rows = await database.query<WalkRow>(isIndexed ? indexed : all, [
        ...window,
        walkBudget,
        limit + 1,
      ]);
      const { hits, next } = pageOf(rows, { budget: walkBudget, limit });
      return { orderIds: hits.flatMap(({ orderId }) => orderId ?? []), next };
    },
    /** When each of these events would be sent; sorted as given. Changes nothing. */
    async plan(events: { row: OutboxRow; delayMs: number }[]): Promise<PlannedEvent[]> {
      const rows = await database.query<{ n: number; sendAt: Date }>(planStatement, [
        ...keysOf(events),
        events.map(({ delayMs }) => delayMs),
      ]);
      const times = new Map(rows.map(({ n, sendAt }) => [n, sendAt]));
      return events.map((event, i) => ({ ...event, sendAt: times.get(i + 1) ?? null }));
    },
    /**
     * Puts events, sorted by key and sequence, into the outbox, claimed by nobody until their time
     * has come: the sweep of any instance sends them then, so neither a crash nor the end of this
     * process loses one, and nothing has to keep the rate. What waits there is left as it is; what
     * the broker had refused is tried again. Records the action in the same statement.
     */
    async send(
      events: { row: OutboxRow; delayMs: number }[],
      record: RepublishRecord,
    ): Promise<PlannedEvent[]> {
      const rows = events.map(({ row }) => row);
      const sent = await database.query<{ key: string; sequence: number; sendAt: Date }>(
        sendStatement,
        [
          ...keysOf(events),
          events.map(({ delayMs }) => delayMs),
          rows[0]?.topic ?? '',
          rows.map(({ eventId }) => eventId),
          rows.map(({ eventType }) => eventType),
          rows.map(({ payload }) => payload).join('\n'),
          rows.map(({ correlationId }) => correlationId),
          record.operator,
          record.reason,
          JSON.stringify(record.request),
        ],
      );
      const times = new Map(
        sent.map(({ key, sequence, sendAt }) => [`${key}/${sequence}`, sendAt]),
      );
      return events.map((event) => ({
        ...event,
        sendAt: times.get(`${event.row.key}/${event.row.sequence}`) ?? null,
      }));
    },
  };
}

export type RepublishStore = ReturnType<typeof createRepublishStore>;

const keysOf = (events: { row: OutboxRow }[]): [string[], number[]] => [
  events.map(({ row }) => row.key),
  events.map(({ row }) => row.sequence),
];

/** The smallest UUIDv7 of a millisecond; null counts as 1970. */
const firstIdAt = (time: string) =>
  `(lpad(to_hex(greatest(0, floor(extract(epoch FROM ${time}) * 1000))::bigint), 12, '0') || repeat('0', 20))::uuid`;

function walkStatements({ name, stateColumn, indexCondition }: RepublishTable) {
  const walk = (condition: string) => `
    WITH ${boundedWalk({
      table: name,
      columns: `${stateColumn} AS state, updated_at`,
      where: `
        order_id < $1::uuid
        AND order_id >= ${firstIdAt('$2::timestamptz')}
        AND order_id < CASE
          WHEN $3::timestamptz IS NULL THEN 'ffffffff-ffff-ffff-ffff-ffffffffffff'::uuid
          ELSE ${firstIdAt("($3::timestamptz + interval '1 ms')")}
        END
        AND ${condition}`,
      direction: 'DESC',
      budget: '$6',
      matches: `state = $4 AND updated_at <= now() - $5::float8 * interval '1 s'`,
      limitPlusOne: '$7',
    })}
    SELECT ends.*, hits.order_id AS "orderId"
    FROM ends
    LEFT JOIN hits ON true
    ORDER BY hits.order_id DESC`;
  return {
    all: { name: 'republish-find', text: walk('true') },
    indexed: { name: 'republish-find-indexed', text: walk(indexCondition) },
  };
}

const input = 'unnest($1::text[], $2::int[], $3::float8[])';

const planStatement = {
  name: 'republish-plan',
  text: `
    SELECT i.n::int AS n, now() + i.delay_ms * interval '1 ms' AS "sendAt"
    FROM ${input} WITH ORDINALITY AS i (key, sequence, delay_ms, n)
    WHERE NOT EXISTS (
      SELECT FROM outbox o WHERE o.key = i.key AND o.sequence = i.sequence AND o.refused IS NULL)`,
};

const sendStatement = {
  name: 'republish-send',
  text: `
    WITH sent AS (
      ${insertLaterEvents(`
        SELECT key, sequence, $4 AS topic, event_id, event_type, payload, correlation_id,
               now() + delay_ms * interval '1 ms' AS send_at
        FROM unnest(
          $1::text[], $2::int[], $3::float8[], $5::uuid[], $6::text[],
          string_to_array($7, E'\\n'), $8::text[])
          AS i (key, sequence, delay_ms, event_id, event_type, payload, correlation_id)`)}
      ON CONFLICT (key, sequence) DO UPDATE
        SET refused = NULL, claimed_by = NULL, created_at = excluded.created_at,
          claim_until = excluded.claim_until
        WHERE outbox.refused IS NOT NULL
      RETURNING key, sequence, claim_until),
    recorded AS (
      ${insertAction({
        operator: '$9',
        action: "'republish'",
        reason: '$10',
        request: '$11::json',
        result: `json_build_object(
          'events', count(*), 'firstAt', min(claim_until), 'lastAt', max(claim_until))`,
        from: 'sent',
      })})
    SELECT key, sequence, claim_until AS "sendAt" FROM sent`,
};
