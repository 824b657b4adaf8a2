import type { Database } from '../postgres/database.ts';

/**
 * An event that waits to be published. `(key, sequence)` names it: the same event is never written
 * twice.
 */
export type OutboxRow = {
  topic: string;
  key: string;
  /** Counts per key from 1. */
  sequence: number;
  eventId: string;
  eventType: string;
  /**
   * JSON without a raw line break (JSON.stringify makes none). Null for a dead letter, which has
   * `bytes`.
   */
  payload: string | null;
  correlationId: string | null;
  traceparent: string | null;
  /** A dead letter's value, unchanged, and its own headers. */
  bytes?: Buffer | null;
  headers?: Record<string, string> | null;
};

export type OutboxDepth = { rows: number; refused: number; oldestSeconds: number };

/**
 * Every statement on a service's `outbox` table but the insert, which is part of the statement that
 * changes the service's own rows.
 */
export function createOutboxStore(database: Database, instance: string) {
  return {
    /**
     * Takes rows that nobody holds, oldest key first, and holds them for `claimMs`: up to
     * `itemsMax`, and none after those that reach `bytesMax` of payload together.
     */
    async claim(most: {
      itemsMax: number;
      bytesMax: number;
      claimMs: number;
    }): Promise<OutboxRow[]> {
      const { itemsMax, bytesMax, claimMs } = most;
      const values = [itemsMax, claimMs, instance, bytesMax];
      const rows = await database.query<OutboxRow>(claimStatement, values);
      return rows.sort((a, b) =>
        a.key < b.key ? -1 : a.key > b.key ? 1 : a.sequence - b.sequence,
      );
    },
    /** Deletes rows that the broker has acknowledged. Repeating it changes nothing. */
    async mark(rows: OutboxRow[]): Promise<void> {
      await database.query(markStatement, keysOf(rows));
    },
    /** Gives rows back that this instance holds; they are free for anybody after `delayMs`. */
    async release(rows: OutboxRow[], delayMs: number): Promise<void> {
      await database.query(releaseStatement, [...keysOf(rows), instance, delayMs]);
    },
    /**
     * Parks rows that the broker refuses for good; they stay, with the reason, until an operator
     * decides.
     */
    async park(rows: OutboxRow[], reason: string): Promise<void> {
      await database.query(parkStatement, [...keysOf(rows), reason]);
    },
    /** Releases what an earlier life of this instance still holds. */
    async takeBack(): Promise<void> {
      await database.query(takeBackStatement, [instance]);
    },
    async depth(): Promise<OutboxDepth> {
      const [row] = await database.query<{ rows: number; refused: number; oldest: number }>(
        depthStatement,
        [],
      );
      return { rows: row?.rows ?? 0, refused: row?.refused ?? 0, oldestSeconds: row?.oldest ?? 0 };
    },
  };
}

/** Whether it is an event of ours, and not the copy of a dead letter. */
export const isEvent = (row: OutboxRow): boolean => row.payload !== null;

/** Bytes of what is published of it. */
export const bytesOf = ({ payload, bytes }: OutboxRow): number =>
  payload === null ? (bytes?.length ?? 0) : Buffer.byteLength(payload);

export type OutboxStore = ReturnType<typeof createOutboxStore>;

const keysOf = (rows: OutboxRow[]): [string[], number[]] => [
  rows.map((r) => r.key),
  rows.map((r) => r.sequence),
];

const claimStatement = {
  name: 'outbox-claim',
  text: `
    WITH free AS (
      SELECT key, sequence, coalesce(octet_length(payload), octet_length(bytes), 0) AS size
      FROM outbox
      WHERE claim_until < now() AND refused IS NULL
      ORDER BY key, sequence
      LIMIT $1
      FOR UPDATE SKIP LOCKED),
    due AS (
      SELECT key, sequence, size, sum(size) OVER (ORDER BY key, sequence) AS total FROM free)
    UPDATE outbox o
    SET claimed_by = $3, claim_until = now() + $2 * interval '1 ms'
    FROM due
    WHERE o.key = due.key AND o.sequence = due.sequence AND due.total - due.size < $4
    RETURNING o.topic, o.key, o.sequence, o.event_id AS "eventId", o.event_type AS "eventType",
      o.payload, o.correlation_id AS "correlationId", o.traceparent, o.bytes, o.headers`,
};

const markStatement = {
  name: 'outbox-mark',
  text: `
    DELETE FROM outbox o USING unnest($1::text[], $2::int[]) AS m (key, sequence)
    WHERE o.key = m.key AND o.sequence = m.sequence`,
};

const releaseStatement = {
  name: 'outbox-release',
  text: `
    UPDATE outbox o
    SET claim_until = CASE
      WHEN $4::int > 0 THEN now() + $4::int * interval '1 ms'
      ELSE '-infinity' END
    FROM unnest($1::text[], $2::int[]) AS m (key, sequence)
    WHERE o.key = m.key
      AND o.sequence = m.sequence
      AND o.claimed_by = $3
      AND o.refused IS NULL`,
};

const parkStatement = {
  name: 'outbox-park',
  text: `
    UPDATE outbox o
    SET refused = $3, claim_until = 'infinity'
    FROM unnest($1::text[], $2::int[]) AS m (key, sequence)
    WHERE o.key = m.key AND o.sequence = m.sequence`,
};

const takeBackStatement = {
  name: 'outbox-take-back',
  text: `
    UPDATE outbox
    SET claim_until = '-infinity'
    WHERE claimed_by = $1 AND claim_until > now() AND refused IS NULL`,
};

const depthStatement = {
  name: 'outbox-depth',
  text: `
    SELECT count(*)::int AS rows, count(refused)::int AS refused,
           greatest(0, extract(epoch FROM now() - min(created_at)))::float8 AS oldest FROM outbox`,
};
