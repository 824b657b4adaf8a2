import type { ServerResponse } from 'node:http';

export type WaitingRequests = ReturnType<typeof createWaitingRequests>;

/** Requests whose answer waits, at most `limit` of them. */
export function createWaitingRequests(limit: number) {
  const waiting = new Set<() => void>();
  let isClosed = false;
  return {
    isFull: (): boolean => waiting.size >= limit,
    count: (): number => waiting.size,
    /** Resolves after `ms` milliseconds, or before when the client goes away or at `close`. */
    wait(response: ServerResponse, ms: number): Promise<void> {
      if (isClosed || response.destroyed) return Promise.resolve();
      return new Promise((resolve) => {
        const end = () => {
          clearTimeout(timer);
          response.off('close', end);
          waiting.delete(end);
          resolve();
        };
        const timer = setTimeout(end, ms);
        response.once('close', end);
        waiting.add(end);
      });
    },
    /** Ends every wait now, and each later one at once. */
    close(): void {
      isClosed = true;
      for (const end of waiting) end();
    },
  };
}
