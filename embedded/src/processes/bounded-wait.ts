import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Asks every `everyMs` until `condition` holds (true) or `withinMs` have passed (false). Rejects
 * with AbortError when `signal` aborts.
 */
export async function holdsWithin(
  withinMs: number,
  condition: () => boolean | Promise<boolean>,
  { everyMs = 25, signal }: { everyMs?: number; signal?: AbortSignal | undefined } = {},
): Promise<boolean> {
  const deadline = performance.now() + withinMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() >= deadline) return false;
    await sleep(everyMs, undefined, { signal });
  }
}

/**
 * Resolves with true when `event` settles within `withinMs`, else with false. Never rejects; leaves
 * no timer behind.
 */
export async function settlesWithin(withinMs: number, event: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const settled = event.then(
    () => true,
    () => true,
  );
  const late = sleep(withinMs, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([settled, late]);
  } finally {
    timer.abort();
  }
}
