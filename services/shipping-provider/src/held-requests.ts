import type { ServerResponse } from 'node:http';

export type HeldRequests = ReturnType<typeof createHeldRequests>;

/** Requests whose answer waits, at most `limit` of them. */
export function createHeldRequests(limit: number) {
  const held = new Set<() => void>();
  let isClosed = false;
  return {
    isFull: (): boolean => held.size >= limit,
    count: (): number => held.size,
    /** Resolves after `ms` milliseconds, or before when the client goes away or at `close`. */
    wait(response: ServerResponse, ms: number): Promise<void> {
      if (isClosed || response.destroyed) return Promise.resolve();
      return new Promise((resolve) => {
        const end = () => {
          clearTimeout(timer);
          response.off('close', end);
          held.delete(end);
          resolve();
        };
        const timer = setTimeout(end, ms);
        response.once('close', end);
        held.add(end);
      });
    },
    /** Ends every wait now, and each later one at once. */
    close(): void {
      isClosed = true;
      for (const end of held) end();
    },
  };
}
