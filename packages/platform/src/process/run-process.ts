import { messageOf } from './errors.ts';
import { createLineWriter, standardOutput } from './standard-output.ts';

/** What a composition root runs: closing ends it in good order, within `closeMs` after draining. */
export type Running = {
  close(): Promise<void>;
  /** Of `close`: how long callers are still answered before anything ends. Unset: 0. */
  drainMs?: number;
};

/**
 * A process that has not drained by then is ended: whatever it still held is taken up again after a
 * restart.
 */
const closeMs = 12_000;
const parentCheckMs = 1_000;

/**
 * Runs a process: starts it, closes it on SIGINT or SIGTERM, or when the npm that runs it is gone,
 * and exits 0, or 1 when it cannot start (with a message for a person, no stack, where the
 * configuration or a port is at fault).
 *
 * Signals after the first are ignored while it drains: a terminal sends Ctrl-C to the whole group
 * and npm forwards it again, so one press arrives twice. This is why `close-with-grace` is not used
 * here: it exits at once on the second.
 */
export async function runProcess(start: (signal: AbortSignal) => Promise<Running>): Promise<void> {
  const stopping = new AbortController();
  const stopped = new Promise<void>((resolve) => {
    const stop = (): void => {
      stopping.abort();
      resolve();
    };
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, stop);
    whenNpmIsGone(stop);
  });
  try {
    const running = await start(stopping.signal);
    await stopped;
    setTimeout(() => process.exit(1), (running.drainMs ?? 0) + closeMs).unref();
    await running.close();
  } catch (error) {
    if (stopping.signal.aborted) process.exit(0);
    say(whyNot(error));
    process.exit(1);
  }
  process.exit(0);
}

/**
 * A killed npm cannot hand its signal on, and what it ran would keep the ports. Only where npm runs
 * this very file: a parent of another kind may end while its child is meant to stay.
 */
function whenNpmIsGone(stop: () => void): void {
  const file = process.env.npm_lifecycle_script?.split(' ').at(-1);
  if (file === undefined || process.argv[1]?.endsWith(`/${file}`) !== true) return;
  const parent = process.ppid;
  const check = setInterval(() => {
    if (process.ppid === parent) return;
    clearInterval(check);
    if (!diedOfItsOutput()) return stop();
    say(`npm cannot write and has ended; process ${process.pid} runs on without it.`);
  }, parentCheckMs);
  check.unref();
}

/** npm ends when the output that it shares with us is a full disk or has no reader; we do not. */
function diedOfItsOutput(): boolean {
  const output = standardOutput();
  const before = output.dropped();
  output.write('npm has ended, and with it ends what it ran.\n');
  return output.dropped() > before;
}

function say(sentence: string): void {
  const output = createLineWriter(2);
  output.write(`${sentence}\n`);
  output.flush();
}

/** A fault of the set-up is reported in a sentence, a fault of the code with its stack. */
function whyNot(error: unknown): string {
  const isBug =
    error instanceof TypeError || error instanceof ReferenceError || error instanceof SyntaxError;
  return isBug ? (error.stack ?? messageOf(error)) : messageOf(error);
}
