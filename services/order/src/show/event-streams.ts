import { Readable } from 'node:stream';
import { CodedError } from '@orders/platform/process/errors';

/** Each holds a connection and a buffer; beyond this the API answers 503. */
const streamsMax = 200;
/** A reader that is so far behind is cut off; it connects again and sees the present. */
const bufferBytesMax = 1_000_000;
/** All readers together are this far behind at most; who is little behind is never cut off. */
const buffersBytesMax = 16_000_000;
const littleBytes = 65_536;
/**
 * Below the idle timeout of usual proxies; it also finds out who has gone without a word, and whose
 * API key was revoked.
 */
const heartbeatMs = 15_000;
/** How long a client should wait before it connects again. */
const retryMs = 2_000;

/** One answer of Server-Sent Events (the WHATWG's HTML standard, 9.2). */
export type EventStream = {
  /** What the route sends as its answer. */
  readonly body: Readable;
  /** Never waits; cuts off who reads too slowly. */
  send(event: { id: string; event: string; data: object }): void;
  /** Sends what waits, then ends the answer. */
  end(): void;
};

/** Opens streams up to a bound and keeps their connections alive. */
export function createEventStreams() {
  /** Connections, those included that have yet to read their end. */
  const open = new Set<Readable>();
  /** Those that may still be sent something, with whether their reader still may read. */
  const live = new Map<Readable, () => boolean>();
  let heartbeat: NodeJS.Timeout | undefined;

  function retire(body: Readable): void {
    live.delete(body);
    if (live.size === 0) clearInterval(heartbeat);
  }

  function isTooFarBehind(bytes: number): boolean {
    if (bytes <= littleBytes) return false;
    return (
      bytes > bufferBytesMax ||
      [...open].reduce((sum, one) => sum + one.readableLength, 0) > buffersBytesMax
    );
  }

  function push(body: Readable, text: string): void {
    if (!live.has(body)) return;
    body.push(text);
    if (!isTooFarBehind(body.readableLength)) return;
    retire(body);
    body.destroy();
  }

  function beat(): void {
    for (const [body, isAllowed] of [...live]) {
      if (isAllowed()) push(body, ':\n\n');
      else end(body);
    }
  }

  function end(body: Readable): void {
    if (!live.has(body)) return;
    retire(body);
    body.push(null);
  }

  return {
    /**
     * Throws CodedError overloaded. `onClose` is called once, when either side has ended the
     * stream; it is ended within 15 s when the reader is not allowed any more.
     */
    open(onClose: () => void, isAllowed: () => boolean = () => true): EventStream {
      if (open.size >= streamsMax)
        throw new CodedError('overloaded', 'Too many streams are open; try again.');
      const body = new Readable({ read: () => undefined });
      body.on('close', () => {
        retire(body);
        open.delete(body);
        onClose();
      });
      if (live.size === 0) heartbeat = setInterval(beat, heartbeatMs);
      open.add(body);
      live.set(body, isAllowed);
      push(body, `retry: ${retryMs}\n\n`);
      return {
        body,
        send: ({ id, event, data }) =>
          push(body, `id: ${id}\nevent: ${event}\ndata: ${JSON.stringify(data)}\n\n`),
        end: () => end(body),
      };
    },
  };
}

export type EventStreams = ReturnType<typeof createEventStreams>;
