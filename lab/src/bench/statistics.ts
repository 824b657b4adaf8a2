/** The middle of several measurements, and how far they lie apart. */
export type Spread = { median: number; min: number; max: number };

/** Median, smallest and largest. Throws when there is nothing to measure. */
export function spreadOf(values: readonly number[]): Spread {
  return { median: percentileOf(values, 50), min: Math.min(...values), max: Math.max(...values) };
}

/**
 * The percentile by linear interpolation between the two nearest values; 50 is the median. Throws
 * on an empty list.
 */
export function percentileOf(values: readonly number[], percentile: number): number {
  if (values.length === 0) throw new Error('There is no percentile of nothing.');
  const sorted = [...values].sort((a, b) => a - b);
  const place = ((sorted.length - 1) * percentile) / 100;
  const below = sorted[Math.floor(place)] ?? 0;
  const above = sorted[Math.ceil(place)] ?? below;
  return below + (above - below) * (place - Math.floor(place));
}
