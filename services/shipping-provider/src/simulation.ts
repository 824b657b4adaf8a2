import type { Simulation } from '@orders/contracts/shipping';

/**
 * What happens to a POST. `book`: booked and answered; `repeat`: its key is booked, the first
 * shipment again; `lose_response`: booked, then the connection drops; `unavailable` 503, `refuse`
 * 422, `hang` no answer: nothing is booked.
 */
export type Fate = 'book' | 'repeat' | 'lose_response' | 'unavailable' | 'refuse' | 'hang';

/** What is known of the reference when a POST arrives, that POST not counted. */
type Past = { posts: number; bookings: number };

/** A POST as far as its fate depends on it. `hasKey`: it came with an Idempotency-Key. */
export type Arrival = { productIds: string[]; hasKey: boolean; past: Past };

/**
 * Products whose fate is the same in every run, for demonstrations and tests. They win over the
 * rates.
 */
const fixedFates = new Map<string, (past: Past) => Fate>([
  ['TEST-REFUSE', () => 'refuse'],
  ['TEST-HANG', () => 'hang'],
  ['TEST-LOST-RESPONSE', ({ bookings }) => (bookings === 0 ? 'lose_response' : 'book')],
  ['TEST-FLAKY-2', ({ posts }) => (posts < 2 ? 'unavailable' : 'book')],
  ['TEST-DOWN', () => 'unavailable'],
]);

const ratedFates = [
  ['unavailable', 'failureRate'],
  ['refuse', 'refuseRate'],
  ['hang', 'hangRate'],
  ['lose_response', 'lostResponseRate'],
] as const;

/** What becomes of an answer that shows a shipment; `page`: of a look-up, a 404 of HTML. */
export type Showing = 'plain' | 'nulls' | 'foreign' | 'page';

export type Simulator = ReturnType<typeof createSimulator>;

/**
 * The mock's behaviour and its random draws: the same seed gives the same fates to the same
 * sequence of POSTs.
 */
export function createSimulator(initial: Simulation) {
  let settings = { ...initial };
  let drawFate = mulberry32(settings.seed);
  // A sequence of its own: changing the latency must not change the fates.
  let drawJitter = mulberry32(~settings.seed);
  // Another one: what is shown must not change the fates.
  let drawShowing = mulberry32(settings.seed ^ 0x5bd1e995);
  return {
    settings: (): Simulation => settings,
    /** Merges what is given; a `seed`, also the same one, starts the draws anew. */
    change(part: Partial<Simulation>): Simulation {
      settings = { ...settings, ...part };
      if (part.seed !== undefined) {
        drawFate = mulberry32(part.seed);
        drawJitter = mulberry32(~part.seed);
        drawShowing = mulberry32(part.seed ^ 0x5bd1e995);
      }
      return settings;
    },
    fateOf: (arrival: Arrival): Fate => decideFate(settings, arrival, drawFate),
    /** How a shipment is shown, or, of a look-up, whether it is. */
    showingOf(isLookUp: boolean): Showing {
      const { nullFieldsRate, foreignReferenceRate, notFoundPageRate } = settings;
      const drawn = drawShowing();
      if (drawn < nullFieldsRate) return 'nulls';
      if (drawn < nullFieldsRate + foreignReferenceRate) return 'foreign';
      const rates = nullFieldsRate + foreignReferenceRate + notFoundPageRate;
      return isLookUp && drawn < rates ? 'page' : 'plain';
    },
    /** How long the answer to a POST waits, in milliseconds. */
    latencyMs(): number {
      const { latencyMs, latencyJitterMs } = settings;
      return latencyJitterMs === 0
        ? latencyMs
        : latencyMs + Math.floor(drawJitter() * (latencyJitterMs + 1));
    },
  };
}

/**
 * Decides a POST's fate. A booked key always gets its shipment, unless the provider is set to
 * refuse it: a refusal or a 503 would tell the caller that nothing is booked. The rates share one
 * draw; where they add up to more than 1, the later ones get what is left.
 */
export function decideFate(settings: Simulation, arrival: Arrival, draw: () => number): Fate {
  const { productIds, hasKey, past } = arrival;
  if (settings.refusesBooked && past.bookings > 0) return 'refuse';
  if (settings.dedupe && hasKey && past.bookings > 0) return 'repeat';
  for (const productId of productIds) {
    const fixed = fixedFates.get(productId);
    if (fixed !== undefined) return fixed(past);
  }
  const drawn = draw();
  let bound = 0;
  for (const [fate, rate] of ratedFates) {
    bound += settings[rate];
    if (drawn < bound) return fate;
  }
  return 'book';
}

/** A small seeded generator of numbers in [0, 1), good enough for drawing fates. */
function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
