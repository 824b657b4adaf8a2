import { setTimeout as pause } from 'node:timers/promises';
import type { Facts, Standard } from './facts.ts';
import { judge } from './judge.ts';
import type { Finding } from './report.ts';

/**
 * Above this the list would cost more memory than an audit may take, and a person has enough to do.
 */
export const suspectsMax = 100_000;

/** How often and in which distance suspects are read again before they are reported. */
export type Recheck = { rounds: number; pauseMs: number };
/**
 * On a living system a row is read while its neighbour is being written; a few seconds later they
 * agree.
 */
export const usualRecheck: Recheck = { rounds: 3, pauseMs: 1_500 };

/** Ids of orders that look wrong; what exceeds the limit is only counted. */
export function createSuspects() {
  const ids: string[] = [];
  let leftOut = 0;
  return {
    ids: ids as readonly string[],
    leftOut: () => leftOut,
    add(id: string): void {
      if (ids.length < suspectsMax) ids.push(id);
      else leftOut += 1;
    },
    /** Counts what the caller has no room for. */
    leaveOut(): void {
      leftOut += 1;
    },
  };
}

/**
 * Reads suspects again, several times, and resolves to what was wrong every time. `look` gives
 * facts and standard of now.
 */
export async function confirm(
  ids: readonly string[],
  look: (ids: readonly string[]) => Promise<{ facts: AsyncIterable<Facts>; standard: Standard }>,
  { rounds, pauseMs }: Recheck,
): Promise<Finding[]> {
  let standing: Map<string, Finding[]> | undefined;
  for (let round = 0; round < rounds; round += 1) {
    const suspects: readonly string[] = standing === undefined ? ids : [...standing.keys()];
    if (suspects.length === 0) return [];
    await pause(pauseMs);
    const { facts, standard } = await look(suspects);
    const again = new Map<string, Finding[]>();
    for await (const one of facts) {
      const before = standing?.get(one.id);
      const found = judge(one, standard).filter(
        ({ name }) => before === undefined || before.some((finding) => finding.name === name),
      );
      if (found.length > 0) again.set(one.id, found);
    }
    standing = again;
  }
  return [...(standing?.values() ?? [])].flat();
}
