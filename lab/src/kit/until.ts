import { setTimeout as delay } from 'node:timers/promises';

/**
 * Asks `condition` again and again until it gives something truthy, and resolves to that. After
 * `seconds` it rejects, saying what was waited for and what the condition threw last. An error of
 * the condition means "not yet".
 */
export async function until<T>(
  what: string,
  seconds: number,
  condition: () => T | Promise<T>,
  everyMs = 50,
): Promise<NonNullable<T>> {
  const end = performance.now() + seconds * 1000;
  let last = '';
  for (;;) {
    try {
      const value = await condition();
      if (value) return value as NonNullable<T>;
      last = '';
    } catch (error) {
      last = `: ${error instanceof Error ? error.message : String(error)}`;
    }
    if (performance.now() > end) throw new Error(`waited ${seconds} s in vain for ${what}${last}`);
    await delay(everyMs);
  }
}

/**
 * Time that passes in the system under test where passing time is the very thing examined (idle,
 * outage, load).
 */
export async function elapse(ms: number): Promise<void> {
  await delay(ms);
}
