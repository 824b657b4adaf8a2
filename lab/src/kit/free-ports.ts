import { createServer } from 'node:net';

/**
 * Below the range from which outgoing connections take theirs, so that a port stays free while its
 * program is restarted.
 */
const lowest = 10_000;
const highest = 30_000;
const triesMax = 200;

/** Ports of 127.0.0.1 that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries += 1) {
    if (tries === triesMax)
      throw new Error(`no free port between ${lowest} and ${highest} after ${triesMax} tries`);
    const port = lowest + Math.floor(Math.random() * (highest - lowest));
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

/** True when nobody listens on this port of 127.0.0.1. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
