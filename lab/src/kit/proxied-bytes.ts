import type { Socket } from 'node:net';

/** What happens to all bytes of a proxy now. */
export type Weather = { delayMs: number; isHeld: boolean };

/** One direction of a connection. */
export type Lane = {
  /** Looks again at what waits, after the weather has changed. */
  goOn(): void;
  /** Forgets what waits. */
  drop(): void;
};

/** More than this is left to the sender's socket, as by a full network. */
const waitingMaxBytes = 1024 * 1024;

/**
 * Carries bytes and the end of them from one socket to the other, in order, as late as the weather
 * of their arrival says.
 */
export function carryBytes(from: Socket, to: Socket, weather: Weather): Lane {
  /** `bytes` null is the end of the stream. */
  const waiting: { bytes: Buffer | null; dueAt: number }[] = [];
  let waitingBytes = 0;
  let timer: NodeJS.Timeout | undefined;

  const arrive = (bytes: Buffer | null) => {
    // Never before what came earlier: the delay may have become shorter.
    const dueAt = Math.max(performance.now() + weather.delayMs, waiting.at(-1)?.dueAt ?? 0);
    waiting.push({ bytes, dueAt });
    waitingBytes += bytes?.length ?? 0;
    if (waitingBytes > waitingMaxBytes) from.pause();
    goOn();
  };

  function goOn(): void {
    clearTimeout(timer);
    while (!weather.isHeld && !to.writableNeedDrain && !to.destroyed) {
      const [next] = waiting;
      if (next === undefined) break;
      const ms = next.dueAt - performance.now();
      if (ms > 0) {
        timer = setTimeout(goOn, ms);
        return;
      }
      waiting.shift();
      if (next.bytes === null) return void to.end();
      waitingBytes -= next.bytes.length;
      to.write(next.bytes);
    }
    if (from.isPaused() && waitingBytes < waitingMaxBytes / 2) from.resume();
  }

  from.on('data', arrive);
  from.once('end', () => arrive(null));
  to.on('drain', goOn);
  return {
    goOn,
    drop() {
      clearTimeout(timer);
      waiting.length = 0;
      waitingBytes = 0;
    },
  };
}
