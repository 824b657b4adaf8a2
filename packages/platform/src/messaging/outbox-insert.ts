/**
 * The only statement text that writes to `outbox`. Each function is a part of the statement that
 * changes the service's own rows, so the event and the change are one commit (I2).
 */
const insert = (columns: string, values: string, from: string): string => `
  INSERT INTO outbox (key, sequence, topic, event_id, event_type, ${columns})
  SELECT key, sequence, topic, event_id, event_type, ${values}
  FROM (${from}) AS event`;

/** Placeholders of the instance that claims the events, and of the milliseconds it claims them. */
type ClaimPlaceholders = { by: string; ms: string };

/**
 * Inserts the events of a query with the columns key, sequence, topic, event_id, event_type,
 * payload, correlation_id and traceparent. With a claim of more than 0 ms the events belong to the
 * relay of that instance; without one, or with 0 ms, any relay may take them at once.
 */
export function insertEvents(from: string, claim?: ClaimPlaceholders): string {
  const until = claim
    ? `CASE
         WHEN ${claim.ms}::int > 0 THEN now() + ${claim.ms}::int * interval '1 ms'
         ELSE '-infinity'
       END`
    : "'-infinity'";
  return insert(
    'payload, correlation_id, traceparent, claimed_by, claim_until',
    `payload, correlation_id, traceparent, ${claim ? `${claim.by}::text` : 'NULL'}, ${until}`,
    from,
  );
}

/** Inserts events that no relay may take before their `send_at`, a further column of the query. */
export const insertLaterEvents = (from: string): string =>
  insert(
    'payload, correlation_id, created_at, claim_until',
    'payload, correlation_id, send_at, send_at',
    from,
  );

/** Inserts copies of dead letters: of a query with `bytes` and `headers` instead of a payload. */
export const insertDeadLetterCopies = (from: string): string =>
  insert('bytes, headers, claim_until', "bytes, headers, '-infinity'", from);
