// Waits until the run of the tests that started it is over, however it ended, and removes what it
// left: processes that work below its directory, and the directory. Runs in a session of its own,
// so that Ctrl-C does not reach it.
import { readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Tests and servers that are ending by themselves get this long. */
const patienceMs = 5_000;
const killMs = 3_000;

const directory = process.argv[2];
if (directory === undefined) throw new Error('the directory of the run is missing');
process.stdin.resume().once('close', () => void cleanUp(directory));

async function cleanUp(below: string): Promise<void> {
  await ended(below, 'SIGINT', patienceMs);
  await ended(below, 'SIGKILL', killMs);
  rmSync(below, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 });
}

/** Signals what still works below the directory, and waits, bounded, until nothing does. */
async function ended(below: string, signal: NodeJS.Signals, withinMs: number): Promise<void> {
  const end = performance.now() + withinMs;
  for (const pid of worksBelow(below)) send(pid, signal);
  while (worksBelow(below).length > 0 && performance.now() < end) await sleep(100);
}

function worksBelow(below: string): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => pid !== process.pid && mentions(pid, below));
}

/** Its working directory, its command line or its environment lie below the directory. */
function mentions(pid: number, below: string): boolean {
  const own = `/proc/${pid}`;
  const texts = [
    () => readlinkSync(`${own}/cwd`),
    () => readFileSync(`${own}/cmdline`, 'utf8'),
    () => readFileSync(`${own}/environ`, 'utf8'),
  ];
  return texts.some((text) => {
    try {
      return text().includes(below);
    } catch {
      return false; // gone meanwhile, or another user's
    }
  });
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // gone meanwhile
  }
}
