import http from 'node:http';
import https from 'node:https';
import { fileURLToPath } from 'node:url';
import { spawnBound } from './bound-child.ts';
import { holdsWithin } from './bounded-wait.ts';
import type { Life } from './keep-running.ts';

/** Migrations and the database may take their time after a crash. */
const readyWithinMs = 60_000;
/** A service ends itself 12 s after it has drained. */
const stopWithinMs = 13_000;
const probeMs = 2_000;
/**
 * As the services' own npm scripts: a backlog is worked off in 300 MB, where V8 left to itself
 * collects later and takes more.
 */
const memoryFlags = ['--max-old-space-size=192', '--max-semi-space-size=16'];

/**
 * Runs a service's `main.ts` (`module` is its import name) as a process of its own that ends with
 * this one, and waits until it answers at `url`. Its output goes to ours.
 * @throws Error when it ends or is not ready within a minute; its own message is in the output.
 * AbortError. It is stopped then.
 */
export async function startServiceProcess(o: {
  module: string;
  url: string;
  env: NodeJS.ProcessEnv;
  signal: AbortSignal;
  drainMs: number;
}): Promise<Life> {
  const main = fileURLToPath(import.meta.resolve(o.module));
  const child = spawnBound([process.execPath, ...memoryFlags, main], {
    env: o.env,
    output: 'inherit',
  });
  let end: string | undefined;
  void child.exited.then((how) => {
    end = how;
  });
  const close = (): Promise<void> => child.stop(o.drainMs + stopWithinMs);
  try {
    const isSettled = async (): Promise<boolean> =>
      end !== undefined || (await answers(`${o.url}/health/live`));
    const inTime = await holdsWithin(readyWithinMs, isSettled, { everyMs: 100, signal: o.signal });
    if (end !== undefined) throw new Error(`${o.module} ended: ${end}`);
    if (!inTime)
      throw new Error(`${o.module} does not answer at ${o.url} within ${readyWithinMs} ms`);
  } catch (error) {
    await close();
    throw error;
  }
  return { pid: child.pid, exited: child.exited, close };
}

/**
 * The certificate is for the name that callers use, and may be anybody's: all that is asked is
 * whether our own child lives.
 */
function answers(url: string): Promise<boolean> {
  const options = { rejectUnauthorized: false, signal: AbortSignal.timeout(probeMs) };
  const get = url.startsWith('https:') ? https.get : http.get;
  return new Promise((resolve) => {
    const request = get(url, options, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('error', () => resolve(false));
  });
}
