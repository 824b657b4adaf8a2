import { hash } from 'node:crypto';

/**
 * The id of an event: a UUID made from what the event is (topic, key and sequence; RFC 9562, UUIDv5
 * in shape), so that every copy carries the same id, also one that is published again long after
 * its outbox row is gone.
 */
export function eventIdOf(topic: string, key: string, sequence: number): string {
  // I13: the same event has the same id, whoever makes it and whenever.
  const hex = hash('sha1', `${topic}/${key}/${sequence}`, 'hex');
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
