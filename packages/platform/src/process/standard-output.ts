import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { codeOf } from './errors.ts';

/** Lines wait here while the reader of a pipe is busy; what comes above it is dropped. */
const heldBytesMax = 1_000_000;
const retryMs = 50;
/** A slow reader gets the last lines of a process; one that stands still does not. */
const lastFlushMs = 300;
const lineBreak = 10;

/** Where lines go; none of its calls throws or waits for the reader. */
export type LineWriter = {
  write(line: string): void;
  /** Lines dropped so far: the reader stands still or is gone, or the disk is full. */
  dropped(): number;
  /** Hands over what is held, in at most 0.3 s; for the end of the process. */
  flush(): void;
};

/** Writes to a file descriptor whose writes never block; the bytes that wait are bounded. */
export function createLineWriter(fd: number): LineWriter {
  const held: Buffer[] = [];
  let heldBytes = 0;
  let dropped = 0;
  let isCutShort = false;
  let needsBreak = false;
  let timer: NodeJS.Timeout | undefined;

  /** Says whether there may be room for more. The rest of a line written in part is next. */
  const writeFirst = (line: Buffer): boolean => {
    try {
      const written = writeSync(fd, line);
      heldBytes -= written;
      isCutShort = written < line.length;
      if (isCutShort) held[0] = line.subarray(written);
      else held.shift();
      return true;
    } catch (error) {
      if (codeOf(error) === 'EAGAIN') return false;
      heldBytes -= line.length;
      held.shift();
      dropped += 1;
      // The next line must not go on where a full disk has cut this one.
      needsBreak = isCutShort || line[0] === lineBreak;
      isCutShort = false;
      return true;
    }
  };
  const drain = (): void => {
    timer = undefined;
    const lines = held.length * 2;
    for (let count = 0; count < lines && held[0] !== undefined; count += 1)
      if (!writeFirst(held[0])) break;
    if (held.length > 0) timer = setTimeout(drain, retryMs).unref();
  };
  return {
    write(line) {
      const bytes = Buffer.from(needsBreak ? `\n${line}` : line);
      if (heldBytes + bytes.length > heldBytesMax) {
        dropped += 1;
        return;
      }
      needsBreak = false;
      held.push(bytes);
      heldBytes += bytes.length;
      if (timer === undefined) drain();
    },
    dropped: () => dropped,
    flush() {
      const end = performance.now() + lastFlushMs;
      clearTimeout(timer);
      for (drain(); held.length > 0 && performance.now() < end; drain()) {
        clearTimeout(timer);
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
      clearTimeout(timer);
    },
  };
}

let writer: LineWriter | undefined;

/** The process's standard output: what it does not take is dropped and counted. */
export function standardOutput(): LineWriter {
  if (writer === undefined) {
    const opened = createLineWriter(openStandardOutput());
    process.once('exit', () => opened.flush());
    writer = opened;
  }
  return writer;
}

/**
 * A pipe or a terminal is opened once more, because writes to descriptor 1 block as soon as any
 * process that shares it wants them to. What cannot be opened (a socket, a pipe of another user) is
 * made not to block by Node itself, when `process.stdout` is first read.
 */
function openStandardOutput(): number {
  if (fstatSync(1).isFile()) return 1;
  try {
    const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = constants;
    return openSync('/proc/self/fd/1', O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    return process.stdout.fd;
  }
}
