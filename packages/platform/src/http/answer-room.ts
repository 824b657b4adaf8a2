import type { FastifyInstance } from 'fastify';
import { CodedError } from '../process/errors.ts';

/** Answers that their readers have not taken yet have so many characters at most. */
const largeAnswersMax = 16_000_000;
const smallAnswersMax = 16_000_000;
/** Up to here an answer is small: readers of large ones must not keep everyday answers out. */
const smallMax = 65_536;
/** Up to here an answer is not counted: the limit of connections bounds those. */
const tinyMax = 4_096;
/** Who takes longer than this to read an answer is cut off. */
const readMs = 30_000;

/**
 * Sends an answer when there is room for it beside those that are not read yet, and else 503
 * `overloaded`. Without it a few hundred readers that stand still would take all memory.
 */
export function boundAnswers(app: FastifyInstance): void {
  const small = { taken: 0, max: smallAnswersMax };
  const large = { taken: 0, max: largeAnswersMax };
  app.addHook('onSend', (_request, reply, payload, done) => {
    const size = typeof payload === 'string' || Buffer.isBuffer(payload) ? payload.length : 0;
    if (size <= tinyMax) return done();
    const room = size > smallMax ? large : small;
    if (room.taken + size > room.max)
      return done(new CodedError('overloaded', 'Too many answers are not read yet; try again.'));
    room.taken += size;
    const timer = setTimeout(() => reply.raw.destroy(), readMs);
    reply.raw.once('close', () => {
      clearTimeout(timer);
      room.taken -= size;
    });
    done();
  });
}
