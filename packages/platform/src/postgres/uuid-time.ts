/**
 * The time in an id of version 7 (RFC 9562), to the millisecond, as an SQL expression. PostgreSQL
 * has functions for these ids only from version 17 on.
 */
export const timeOfUuid = (id: string): string =>
  `to_timestamp(('x' || lpad(left(replace(${id}::text, '-', ''), 12), 16, '0'))::bit(64)::bigint / 1000.0)`;

/** The least id of version 7 that could be made at the time, as an SQL expression. */
export const leastUuidAt = (time: string): string =>
  `rpad(lpad(to_hex(floor(extract(epoch FROM ${time}) * 1000)::bigint), 12, '0'), 32, '0')::uuid`;
