import { cpuMsOf, showsUsage } from '../kit/process-table.ts';
import type { Victim } from './subject.ts';

/** What a process used of one core, in percent. */
export type CpuShare = { name: string; percent: number };

/** Shorter than this says nothing: what was under way is ended first. */
const shortestMs = 2_500;
/**
 * What waits for its database sleeps. Instances that serve requests answer them meanwhile, so only
 * those without are judged by it.
 */
const busyPercent = 60;

/** Begins to measure; the result of a process that was killed meanwhile is missing. */
export function startCpuWatch(victims: ReadonlyMap<string, Victim>): () => CpuShare[] {
  const begun = performance.now();
  const before = look(victims);
  return () => {
    const ms = performance.now() - begun;
    if (ms < shortestMs) return [];
    const after = look(victims);
    return [...after].flatMap(([name, { pid, usedMs }]) => {
      const first = before.get(name);
      if (first?.pid !== pid) return [];
      return [{ name, percent: Math.round((100 * (usedMs - first.usedMs)) / ms) }];
    });
  };
}

/** Processes that were busy though they could do nothing, in words. */
export const busyOnes = (kind: string, shares: readonly CpuShare[]): string[] =>
  shares
    .filter(({ name, percent }) => /^fulfillment-service/.test(name) && percent > busyPercent)
    .map(({ name, percent }) => `${name} used ${percent} % of a core during ${kind}`);

function look(victims: ReadonlyMap<string, Victim>): Map<string, { pid: number; usedMs: number }> {
  const found = new Map<string, { pid: number; usedMs: number }>();
  if (!showsUsage) return found;
  for (const [name, { pid }] of victims) {
    const now = pid?.();
    if (now === undefined) continue;
    try {
      found.set(name, { pid: now, usedMs: cpuMsOf(now) });
    } catch {
      // It is dead at the moment.
    }
  }
  return found;
}
