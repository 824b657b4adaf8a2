import type { IncomingEvent } from './broker.ts';

/** An event that cannot be read, with the reason; its bytes stay as they came. */
export type DeadLetter = { event: IncomingEvent; reason: string };

/**
 * Two parts of a statement that writes a batch's dead letters and their copies for `<topic>.dlq` together with the batch, so
 * that a poison message neither blocks its partition nor gets lost. Takes the eight parameters from `$first` on.
 */
export function deadLetterParts(first: number): string {
  const $ = (n: number) => `$${first + n}`;
  return `
    letters AS (
      SELECT ${$(0)}::text AS topic, l.* FROM unnest(${$(1)}::int[], ${$(2)}::bigint[], ${$(3)}::text[], ${$(4)}::bytea[], ${$(5)}::json[],
        ${$(6)}::text[], ${$(7)}::json[]) AS l (partition, "offset", key, value, headers, reason, told_headers)),
    buried AS (
      INSERT INTO dead_letters (topic, partition, "offset", key, value, headers, reason)
      SELECT topic, partition, "offset", key, value, headers, reason FROM letters ON CONFLICT DO NOTHING),
    told_buried AS (
      INSERT INTO outbox (key, sequence, topic, event_id, event_type, bytes, headers, claim_until)
      SELECT topic || '/' || partition || '/' || "offset", 1, topic || '.dlq', gen_random_uuid(), 'DeadLetter', value,
        told_headers, '-infinity'
      FROM letters ON CONFLICT DO NOTHING)`;
}

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
    column(({ reason }) => reason),
    column(({ event, reason }) =>
      JSON.stringify({
        ...event.headers,
        'dlq-reason': reason,
        'dlq-topic': topic,
        'dlq-partition': String(event.partition),
        'dlq-offset': event.offset.toString(),
        'dlq-at': at,
      }),
    ),
  ];
}

/**
 * Stores a batch; when the database refuses a value (`isBad`), the batch is halved until the bad event stands alone, and that one
 * is buried instead, so that no event can block its partition. Resolves to the union of what `store` resolved to.
 */
export async function storeOrBury<T extends { event: IncomingEvent }>(
  batch: T[],
  letters: DeadLetter[],
  store: (batch: T[], letters: DeadLetter[]) => Promise<Set<string>>,
  isBad: (error: unknown) => boolean,
): Promise<Set<string>> {
  try {
    return await store(batch, letters);
  } catch (error) {
    const [first] = batch;
    if (first === undefined || !isBad(error)) throw error;
    if (batch.length === 1) {
      return await store([], [...letters, { event: first.event, reason: 'the database refuses a value of it' }]);
    }
    const half = Math.ceil(batch.length / 2);
    const left = await storeOrBury(batch.slice(0, half), letters, store, isBad);
    return left.union(await storeOrBury(batch.slice(half), [], store, isBad));
  }
}
