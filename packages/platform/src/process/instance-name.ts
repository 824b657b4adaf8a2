import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/**
 * The name under which a process holds claims. A name of its own for each start, unless the caller
 * guarantees that only one process at a time has the given name: then it takes back at once what
 * its earlier life held, instead of waiting for the claims to end.
 */
export function instanceName(given?: string): string {
  return given ?? `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
}
