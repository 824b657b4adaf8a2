import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Sorting this many strings takes some milliseconds; between two such pieces of work others get
 * their turn.
 */
const pieceSize = 8_192;

/**
 * Yields the references sorted by UTF-16 code units, in pieces. Millions are dealt by value into
 * small buckets first, which are sorted when their turn comes: one big sort would stop the process
 * for seconds.
 */
export async function* inOrder(references: string[]): AsyncGenerator<string[]> {
  const bounds = boundsOf(references);
  const buckets = Array.from({ length: bounds.length + 1 }, (): string[] => []);
  for (const [index, reference] of references.entries()) {
    buckets[placeOf(reference, bounds)]?.push(reference);
    if (index % pieceSize === pieceSize - 1) await nextTurn();
  }
  for (const bucket of buckets) {
    yield bucket.sort();
    await nextTurn();
  }
}

/** The limits between buckets of about a piece each, taken from a sorted sample. */
function boundsOf(references: string[]): string[] {
  const bucketCount = Math.ceil(references.length / pieceSize);
  const oversampling = 16;
  const step = Math.max(1, Math.floor(references.length / (bucketCount * oversampling)));
  const sample: string[] = [];
  for (let index = 0; index < references.length; index += step)
    sample.push(references[index] ?? '');
  sample.sort();
  const bounds: string[] = [];
  for (let bucket = 1; bucket < bucketCount; bucket++) {
    const bound = sample[Math.floor((bucket * sample.length) / bucketCount)];
    if (bound !== undefined) bounds.push(bound);
  }
  return bounds;
}

/** How many bounds are not above the reference, by halving. */
function placeOf(reference: string, bounds: string[]): number {
  let low = 0;
  let high = bounds.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((bounds[middle] ?? '') <= reference) low = middle + 1;
    else high = middle;
  }
  return low;
}
