import type { FastifyInstance, FastifyRequest } from 'fastify';
import { CodedError } from '../process/errors.ts';
import { bodyLimitBytes } from './json-body.ts';

/**
 * Bodies of requests that are not answered yet have so many bytes at most. A parsed body takes
 * several times its bytes.
 */
const largeBodiesBytesMax = 8_000_000;
const smallBodiesBytesMax = 8_000_000;
/** Up to here a body is small: many large ones must not keep everyday orders out. */
const smallBytesMax = 65_536;
/** Who waits for room is not read meanwhile: its bytes stay with the sender. */
const waitMs = 2_000;
const waitersMax = 1_000;

/**
 * Lets a body in when there is room for it beside the others, and answers 503 `overloaded` when
 * there is none within two seconds. Without it a few hundred bodies at once would take all memory.
 */
export function boundBodies(app: FastifyInstance): void {
  const small = createRoom(smallBodiesBytesMax);
  const large = createRoom(largeBodiesBytesMax);
  app.addHook('preParsing', (request, reply, _payload, done) => {
    const bytes = bytesToCome(request);
    if (bytes === 0) return done();
    const room = bytes > smallBytesMax ? large : small;
    const leave = room.enter(bytes, (isIn) =>
      isIn
        ? done()
        : done(new CodedError('overloaded', 'Too many bodies are under way; try again.')),
    );
    // Answered, or the client is gone.
    reply.raw.once('close', leave);
  });
}

/** What the headers announce; a body of unknown length may be as long as any. */
function bytesToCome({ headers }: FastifyRequest): number {
  if (headers['transfer-encoding'] !== undefined) return bodyLimitBytes;
  const announced = Number(headers['content-length'] ?? 0);
  // Whatever is longer is refused before it is read.
  return announced > bodyLimitBytes ? 0 : announced;
}

type Waiter = { bytes: number; settle: (isIn: boolean) => void };

/** Room for so many bytes; who finds none waits, first come first served. */
function createRoom(bytesMax: number) {
  const waiters = new Set<Waiter>();
  let taken = 0;
  const admit = (): void => {
    for (const waiter of waiters) {
      if (taken + waiter.bytes > bytesMax) return;
      waiter.settle(true);
    }
  };
  return {
    /** Calls `settle` once, at once where there is room. What it returns gives the room back. */
    enter(bytes: number, settle: (isIn: boolean) => void): () => void {
      let isIn = false;
      let timer: NodeJS.Timeout | undefined;
      const waiter: Waiter = {
        bytes,
        settle(admitted) {
          clearTimeout(timer);
          waiters.delete(waiter);
          isIn = admitted;
          if (admitted) taken += bytes;
          settle(admitted);
        },
      };
      if (waiters.size === 0 && taken + bytes <= bytesMax) waiter.settle(true);
      else if (waiters.size >= waitersMax) waiter.settle(false);
      else {
        waiters.add(waiter);
        timer = setTimeout(() => waiter.settle(false), waitMs);
      }
      return () => {
        clearTimeout(timer);
        waiters.delete(waiter);
        if (!isIn) return;
        isIn = false;
        taken -= bytes;
        admit();
      };
    },
  };
}
