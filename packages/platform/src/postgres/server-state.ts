import { setTimeout as delay } from 'node:timers/promises';
import { DeadlinePassed } from '../process/deadline.ts';
import { codeOf, messageOf } from '../process/errors.ts';
import type { Log } from '../process/log.ts';
import { isBusyPool } from './pool.ts';
import type { Finding, Probe } from './probe.ts';

/** Why statements cannot be carried out now, as readiness says it, and as the log does. */
const troubles = {
  away: { reason: 'PostgreSQL cannot be reached.', line: 'database away' },
  silent: { reason: 'PostgreSQL cannot be reached.', line: 'database does not answer' },
  no_connection_left: {
    reason: 'PostgreSQL takes no further connection.',
    line: 'database takes no further connection',
  },
  refused: {
    reason: 'PostgreSQL refuses the user, the password or the database.',
    line: 'database refuses the connection',
  },
  read_only: { reason: 'PostgreSQL is read-only.', line: 'database is read-only' },
  disk_full: { reason: 'The disk of PostgreSQL is full.', line: 'disk of the database is full' },
} as const;
export type Trouble = keyof typeof troubles;
export const troubleNames = Object.keys(troubles) as Trouble[];
export const reasonOf = (trouble: Trouble): string => troubles[trouble].reason;

const lookEveryMs = 500;
/** The question to a silent server waits for a second itself; the one for the disk writes 8 MB. */
const pauses: Partial<Record<Trouble, number>> = { silent: 50, disk_full: 2_000 };
/** A small write may find room between two large ones that do not. */
const diskStaysFullMs = 5_000;

/**
 * What is wrong with a server, found by statements that fail and by the probe. While something is,
 * the probe asks again and again, so it ends by itself; one warning tells of it, one line of its
 * end.
 */
export type ServerState = {
  readonly trouble: Trouble | undefined;
  failed(error: unknown): void;
  succeeded(): void;
  /** Asks the probe unless something is known to be wrong. Bounded, never rejects. */
  look(): Promise<Trouble | undefined>;
  close(): Promise<void>;
};

export function createServerState(options: {
  probe: Probe;
  schema: string;
  log: Log;
  /** Every connection may lead to a server that is not the one to write to any more. */
  renewConnections: () => void;
  /** The statements that are under way will not be answered. */
  cutConnections: () => void;
}): ServerState {
  const { probe, schema, log, renewConnections, cutConnections } = options;
  const closing = new AbortController();
  const told = new Set<Trouble>();
  let trouble: Trouble | undefined;
  let diskFullUntil = 0;
  let healing: Promise<void> = Promise.resolve();
  let looking: Promise<Trouble | undefined> | undefined;

  function enter(found: Trouble, error: unknown): void {
    if (found === 'disk_full') diskFullUntil = performance.now() + diskStaysFullMs;
    if (closing.signal.aborted || trouble === found) return;
    const isFirst = trouble === undefined;
    trouble = found;
    if (!told.has(found)) {
      const { line } = troubles[found];
      log.warn({ part: 'database', schema, err: messageOf(error) }, line);
      told.add(found);
      if (found === 'read_only') renewConnections();
    }
    if (found === 'silent') cutConnections();
    if (isFirst) healing = heal();
  }

  function leave(): void {
    if (trouble === undefined) return;
    trouble = undefined;
    log.info({ part: 'database', schema }, 'database back');
    if (told.has('read_only')) renewConnections();
    told.clear();
  }

  async function heal(): Promise<void> {
    while (trouble !== undefined && !closing.signal.aborted) {
      const disk = trouble === 'disk_full';
      const found = await ask(() => probe.askAnew({ disk }));
      if (found === undefined && performance.now() >= (disk ? diskFullUntil : 0)) leave();
      else await pause(pauses[trouble] ?? lookEveryMs);
    }
  }

  /** Ends at once when the state is closed. */
  const pause = (ms: number): Promise<void> =>
    delay(ms, undefined, { signal: closing.signal }).catch(() => undefined);

  async function ask(question: () => Promise<Finding>): Promise<Trouble | undefined> {
    try {
      if ((await question()) === 'fine') return undefined;
      enter('read_only', new Error('transactions are read-only'));
      return 'read_only';
    } catch (error) {
      // Whatever stands in the way of so simple a question does so for every statement.
      const found = troubleOf(error) ?? 'away';
      enter(found, error);
      return found;
    }
  }

  async function look(): Promise<Trouble | undefined> {
    if (trouble !== undefined) return trouble;
    looking ??= ask(probe.ask).finally(() => {
      looking = undefined;
    });
    return await looking;
  }

  return {
    get trouble() {
      return trouble;
    },
    failed(error) {
      // Its connection was cut, or it was not sent.
      if (trouble === 'silent') return;
      const found = troubleOf(error);
      if (found !== undefined) enter(found, error);
      else if (isTimeout(error)) void look();
    },
    succeeded() {
      if (trouble === 'away') leave();
    },
    look,
    async close() {
      closing.abort();
      await healing;
      await probe.close();
    },
  };
}

/**
 * What the error of a statement or of a connection says about the server; undefined where it is the
 * statement's own: a wait for a lock, a value, a pool that is busy.
 */
function troubleOf(error: unknown): Trouble | undefined {
  if (error instanceof DeadlinePassed) return 'silent';
  const state = codeOf(error) ?? '';
  if (state === '25006') return 'read_only';
  if (state === '53100') return 'disk_full';
  if (state === '53300') return 'no_connection_left';
  if (/^28|^3D000$/.test(state)) return 'refused';
  if (/^(08|53|57P|58|XX)/.test(state)) return 'away';
  if (/^[0-9A-Z]{5}$/.test(state) && !/^E[A-Z]{4}$/.test(state)) return undefined;
  return isTimeout(error) ? undefined : 'away';
}

/**
 * A time of the driver's own passed, for one connection or one statement. The server may be well:
 * all connections are in use, or a firewall has forgotten this one.
 */
const isTimeout = (error: unknown): boolean =>
  isBusyPool(error) ||
  (error instanceof Error && /connection timeout|^Query read timeout/.test(error.message));
