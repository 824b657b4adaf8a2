import type { Counter } from 'prom-client';
import { whatFailed } from '../postgres/database.ts';
import type { Log } from '../process/log.ts';
import type { IncomingEvent } from './broker.ts';
import { insertDeadLetterCopies } from './outbox-insert.ts';

/**
 * Handles a batch of events as `BatchHandler` says. `isReplay`: they were dead letters before, so
 * what the database refuses rejects with its error instead of being buried once more.
 */
export type EventHandler = (events: IncomingEvent[], isReplay?: boolean) => Promise<void>;

/**
 * An event that cannot be handled; its bytes stay as they came. `kind` is for counting, `reason`
 * for the one who looks at it.
 */
export type DeadLetter = {
  event: IncomingEvent;
  kind: 'unreadable' | 'invalid' | 'refused';
  reason: string;
};

/**
 * I11: two parts of a statement that writes a batch's dead letters and their copies for
 * `<topic>.dlq` together with the batch, so that a poison message is not lost and blocks nothing.
 * Takes the eight parameters from `$first` on.
 */
export function deadLetterParts(first: number): string {
  const $ = (n: number) => `$${first + n}`;
  return `
    letters AS (
      SELECT ${$(0)}::text AS topic, l.*
      FROM unnest(
        ${$(1)}::int[], ${$(2)}::bigint[], ${$(3)}::text[], ${$(4)}::bytea[],
        ${$(5)}::json[], ${$(6)}::text[], ${$(7)}::json[])
        AS l (partition, "offset", key, value, headers, reason, copy_headers)),
    buried AS (
      INSERT INTO dead_letters (topic, partition, "offset", key, value, headers, reason)
      SELECT topic, partition, "offset", key, value, headers, reason
      FROM letters
      ON CONFLICT DO NOTHING),
    copied AS (
      ${insertDeadLetterCopies(`
        SELECT topic || '/' || partition || '/' || "offset" AS key, 1 AS sequence,
               topic || '.dlq' AS topic, gen_random_uuid() AS event_id,
               'DeadLetter' AS event_type, value AS bytes, copy_headers AS headers
        FROM letters`)}
      ON CONFLICT DO NOTHING)`;
}

const reasonCharsMax = 1_000;

/** A reason may name a property of the event: as text that the database and Kafka keep. */
const toReason = ({ reason }: Pick<DeadLetter, 'reason'>): string =>
  reason.replaceAll('\u0000', '').slice(0, reasonCharsMax).toWellFormed();

/** The parameters of `deadLetterParts`. */
export function deadLetterValues(topic: string, letters: DeadLetter[]): unknown[] {
  const at = new Date().toISOString();
  const column = <T>(pick: (letter: DeadLetter) => T): T[] => letters.map(pick);
  return [
    topic,
    column(({ event }) => event.partition),
    column(({ event }) => event.offset.toString()),
    column(({ event }) => event.key?.replaceAll('\u0000', '') ?? null),
    column(({ event }) => event.value),
    column(({ event }) => JSON.stringify(event.headers)),
    column(toReason),
    column(({ event, ...letter }) =>
      JSON.stringify({
        ...event.headers,
        'dlq-reason': toReason(letter),
        'dlq-topic': topic,
        'dlq-partition': String(event.partition),
        'dlq-offset': event.offset.toString(),
        'dlq-at': at,
      }),
    ),
  ];
}

/**
 * Stores a batch with its dead letters; when the database refuses a value, the batch is halved
 * until the bad event stands alone, and that one is buried instead, so that no event can block its
 * partition (a replay is not buried again: it rejects). Resolves to the union of what `store`
 * resolved to; `onBuried` is called once for each letter that was buried.
 */
export async function storeOrBury<T extends { event: IncomingEvent }>(
  batch: T[],
  letters: DeadLetter[],
  store: (batch: T[], letters: DeadLetter[]) => Promise<Set<string>>,
  onBuried: (letter: DeadLetter) => void,
  isReplay = false,
): Promise<Set<string>> {
  const [first] = batch;
  if (first === undefined && letters.length === 0) return new Set();
  try {
    const stored = await store(batch, letters);
    for (const letter of letters) onBuried(letter);
    return stored;
  } catch (error) {
    if (first === undefined || isReplay || whatFailed(error) !== 'data') throw error;
    if (batch.length === 1) {
      const refused = {
        event: first.event,
        kind: 'refused',
        reason: 'the database refuses a value of it',
      } as const;
      return await storeOrBury([], [...letters, refused], store, onBuried);
    }
    const half = Math.ceil(batch.length / 2);
    const left = await storeOrBury(batch.slice(0, half), letters, store, onBuried);
    return left.union(await storeOrBury(batch.slice(half), [], store, onBuried));
  }
}

/** Counts and logs a buried event. */
export function reportDeadLetter(
  log: Log,
  count: Counter<'topic' | 'reason'>,
): (letter: DeadLetter) => void {
  return ({ event: { topic, partition, offset }, kind, reason }) => {
    count.inc({ topic, reason: kind });
    log.warn(
      { topic, partition, offset: offset.toString(), kind, reason },
      'event is a dead letter',
    );
  };
}
