import { readFileSync } from 'node:fs';

/** Idle connections must not take all memory. */
const connectionsMax = 10_000;
/**
 * Files that a process opens beside its clients: connections to the database, to Kafka, to the
 * provider and the mock's end of them, and its own files.
 */
const reservedFiles = 192;
/** Two services may live in one process. */
const servicesMax = 2;
const connectionsMin = 16;

/**
 * How many clients one server of this process may have at once, by the limit of open files
 * (`ulimit -n`): clients beyond it are turned away, and database and provider are still reached.
 */
export function clientConnectionsMax(openFiles: number = openFilesMax()): number {
  const left = Math.floor((openFiles - reservedFiles) / servicesMax);
  return Math.min(connectionsMax, Math.max(connectionsMin, left));
}

/** Node has raised the soft limit to the hard one when this is asked. */
function openFilesMax(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const [, soft] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    return Number.POSITIVE_INFINITY; // no Linux: the bound of memory is left
  }
}
