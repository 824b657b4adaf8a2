import { type ChildProcess, fork } from 'node:child_process';
import { join } from 'node:path';
import type { LoadResult } from './load.ts';
import type { LoadJob, LoadMessage } from './load-process.ts';
import type { Ready } from './serve.ts';

/**
 * As `npm start` runs: a young generation with room for the requests of a busy second costs less
 * collecting. The same for all.
 */
const serverFlags = ['--max-semi-space-size=64'];

const loadProgram = 'load-process.ts';
/** A new PostgreSQL cluster is made before a server is ready. */
const readyMs = 60_000;
/** Longer than a server gives itself to close. */
const stopMs = 20_000;
/** What a process wrote last may arrive a little after its end. */
const lastWordsMs = 50;

/** A measured server in its own process, with a data directory of its own. */
export type ServerProcess = { url: string; pid: number; dataDir: string; stop(): Promise<void> };

/**
 * Starts one of the `serve-*.ts` programs and resolves once it is ready; throws with its last words
 * when it is not ready within a minute. `stop` ends it, and it removes its data.
 */
export async function startServer(program: string): Promise<ServerProcess> {
  const child = forkProgram(program);
  const ended = endOf(child, program);
  const stop = async (): Promise<void> => {
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill('SIGKILL'), stopMs);
    await ended.catch(() => undefined);
    clearTimeout(timer);
  };
  try {
    const { url, dataDir } = await firstMessage<Ready>(child, ended, program);
    return { url, pid: child.pid ?? 0, dataDir, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Runs one load in a process of its own. `onMeasuring` is called when the measured time begins. */
export async function runLoad(
  job: LoadJob,
  onMeasuring: () => void = () => undefined,
): Promise<LoadResult> {
  const child = forkProgram(loadProgram);
  const ended = endOf(child, loadProgram);
  try {
    const done = new Promise<LoadResult>((resolve) => {
      child.on('message', (message: LoadMessage) => {
        if (message.event === 'measuring') onMeasuring();
        else resolve(message.result);
      });
    });
    child.send(job);
    return await Promise.race([done, ended]);
  } finally {
    if (child.connected) child.disconnect();
    await ended.catch(() => undefined);
  }
}

function forkProgram(program: string): ChildProcess {
  // Logs are written as they are by default, but to nowhere; of the errors the last words are kept.
  return fork(join(import.meta.dirname, program), {
    execArgv: serverFlags,
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** Rejects when the process ends, with its last words. */
function endOf(child: ChildProcess, program: string): Promise<never> {
  let lastWords = '';
  child.stderr?.on('data', (chunk) => {
    lastWords = (lastWords + chunk).slice(-2_000);
  });
  const ended = new Promise<never>((_resolve, reject) => {
    child.once('error', reject);
    // 'close' would tell when the last words are complete, but does not come after a disconnect
    // from this side.
    child.once('exit', (code, signal) => {
      setTimeout(
        () => reject(new Error(`${program} ended (${code ?? signal}): ${lastWords}`)),
        lastWordsMs,
      );
    });
  });
  ended.catch(() => undefined);
  return ended;
}

function firstMessage<T>(child: ChildProcess, ended: Promise<never>, program: string): Promise<T> {
  const ready = new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${program} was not ready in time.`)), readyMs);
    child.once('message', (message) => {
      clearTimeout(timer);
      resolve(message as T);
    });
    child.once('exit', () => clearTimeout(timer));
  });
  return Promise.race([ready, ended]);
}
