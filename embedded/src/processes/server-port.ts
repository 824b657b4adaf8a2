import { createServer } from 'node:net';

/**
 * Below every system's ephemeral ports (Linux from 32768, macOS from 49152). One of those could be
 * taken by any outgoing connection while the server restarts, and a client that keeps connecting to
 * it there can end up connected to itself.
 */
const lowest = 10_000;
const highest = 32_000;
const attemptsMax = 50;

/**
 * A port of 127.0.0.1 on which nobody listens: the preferred one if it is free. @throws Error when
 * 50 in a row are taken
 */
export async function choosePort(preferred: number | undefined): Promise<number> {
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    const random = lowest + Math.floor(Math.random() * (highest - lowest));
    const port = attempt === 0 ? (preferred ?? random) : random;
    if (await isFree(port)) return port;
  }
  throw new Error(`found no free port between ${lowest} and ${highest}`);
}

/** True when nobody listens on this port of 127.0.0.1. */
export function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () =>
      server.close(() => resolve(true)),
    );
  });
}
