import { bodyError } from '../http/request-validation.ts';
import type { IncomingEvent } from '../messaging/broker.ts';
import type { ReadBatch } from '../messaging/event-reader.ts';
import type { EventHandler } from '../messaging/store-or-bury.ts';
import { whatFailed } from '../postgres/database.ts';
import { CodedError } from '../process/errors.ts';
import { isUuid } from '../process/uuid.ts';
import type { DeadLetterStore, KeptLetter } from './dead-letter-store.ts';

/** What a service does with the events of the one topic that it consumes. */
export type EventStation = {
  topic: string;
  read: (events: IncomingEvent[]) => ReadBatch<{ orderId: string }>;
  handle: EventHandler;
};

/**
 * A corrected value longer than this is not kept in the record of the action: one page of records
 * would be megabytes.
 */
const recordedBytesMax = 10_000;

/**
 * An operator's decisions on the dead letters of a service's topic. All reject with CodedError
 * where the letter is not open.
 */
export function createDeadLetterReplay(parts: { store: DeadLetterStore; station: EventStation }) {
  const { store, station } = parts;

  /**
   * Hands a letter, as it came or with a corrected value, to the station of its topic; nothing is
   * published. A copy of what was handled before changes nothing there (order id, sequence), so
   * neither a crash before the record nor two operators at once do harm.
   */
  async function replay(
    id: string,
    by: { operator: string; reason: string | null; corrected?: { value: unknown } },
  ) {
    const { operator, reason, corrected } = by;
    const { event } = await open(id);
    const tried = corrected === undefined ? event : { ...event, value: toBytes(corrected.value) };
    const { readable, letters } = station.read([tried]);
    if (readable.length === 0)
      throw unreadable(letters[0]?.reason ?? 'it has no event type that this service handles');
    // Else a slip of the pen would ship, or end, the order of somebody else.
    const { orderId } = readable[0] as { orderId: string };
    const { key = '' } = event;
    if (isUuid(key) && key.toLowerCase() !== orderId)
      throw unreadable(`its orderId is ${orderId}, its key is ${key}`);
    try {
      await station.handle([tried], true);
    } catch (error) {
      if (whatFailed(error) === 'data') throw unreadable('the database refuses a value of it');
      throw error;
    }
    const bytes = tried.value.length;
    const kind = corrected === undefined ? 'replayed' : 'corrected';
    const value = corrected !== undefined && bytes <= recordedBytesMax ? corrected : {};
    const request = { id, ...(corrected !== undefined && { correctedBytes: bytes, ...value }) };
    await resolve(id, kind, {
      operator,
      action: 'replay_dead_letter',
      reason,
      request,
      result: { resolution: kind },
    });
  }

  async function discard(
    id: string,
    { operator, reason }: { operator: string; reason: string },
  ): Promise<void> {
    await open(id);
    const result = { resolution: 'discarded' };
    await resolve(id, 'discarded', {
      operator,
      action: 'discard_dead_letter',
      reason,
      request: { id },
      result,
    });
  }

  async function open(id: string): Promise<KeptLetter> {
    const letter = await store.one(id);
    if (letter === undefined)
      throw new CodedError('dead_letter_not_found', `There is no dead letter ${id}.`);
    if (letter.detail.resolution !== null) throw resolvedBefore(id);
    return letter;
  }

  async function resolve(...decision: Parameters<DeadLetterStore['resolve']>): Promise<void> {
    if (!(await store.resolve(...decision))) throw resolvedBefore(decision[0]);
  }

  return { replay, discard };
}

const unreadable = (reason: string): CodedError =>
  new CodedError(
    'dead_letter_unreadable',
    `The value cannot be handled: ${reason}. Nothing was changed.`,
  );

const resolvedBefore = (id: string): CodedError =>
  new CodedError('dead_letter_resolved', `The dead letter ${id} was resolved before.`);

function toBytes(value: unknown): Buffer {
  try {
    return Buffer.from(JSON.stringify(value));
  } catch {
    // What can be parsed may be nested too deeply to be written again.
    throw bodyError('/value', 'is nested too deeply');
  }
}
