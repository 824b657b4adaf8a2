import { type StdioOptions, spawn } from 'node:child_process';
import { settlesWithin } from './bounded-wait.ts';
import { sendSignal } from './process-table.ts';

/** A program that ends when this process does, whichever way this process ends. */
export type BoundChild = {
  /** Of the process group that the program runs in: a signal to `-pid` reaches the program. */
  pid: number;
  /** Resolves, with words for the log, when the program is gone. Never rejects. */
  exited: Promise<string>;
  /** Sends SIGTERM and waits; after `withinMs` SIGKILL. Never rejects. */
  stop(withinMs: number): Promise<void>;
};

/**
 * A shell between us and the program holds the end of a pipe: when the other end is closed, by us
 * or by the death of our process (SIGKILL too), it sends the program SIGTERM. It ends when the
 * program does, with the program's exit code. It gets the output under other numbers: of its own
 * 1 and 2 libuv makes every sharer's writes block, ours too.
 */
const leash = `
exec 3<&0 >&4 2>&5 4>&- 5>&-
"$@" </dev/null 3<&- & program=$!
{ cat <&3 >/dev/null; kill "$program"; } 2>/dev/null & watch=$!
exec 3<&-
wait "$program"; code=$?
kill "$watch" 2>/dev/null
exit "$code"
`;

/**
 * Starts a program in a process group of its own, so that Ctrl-C in the terminal reaches only us
 * and we can end things in good order. A program that cannot be started shows as exit code 127.
 */
export function spawnBound(
  command: string[],
  options: { env: NodeJS.ProcessEnv; cwd?: string; output: number | 'inherit' },
): BoundChild {
  const { env, cwd = process.cwd(), output } = options;
  const [stdout, stderr] = output === 'inherit' ? [1, 2] : [output, output];
  const stdio: StdioOptions = ['pipe', 'ignore', 'ignore', 'ignore', stdout, stderr];
  const child = spawn('/bin/sh', ['-c', leash, 'sh', ...command], {
    env,
    cwd,
    stdio,
    detached: true,
  });
  const exited = new Promise<string>((resolve) => {
    child.once('exit', (code, by) => resolve(by === null ? `exit code ${code}` : `signal ${by}`));
    child.once('error', (error) => resolve(error.message));
  });
  // When the program is gone, so is the reader of this pipe: that is no news.
  child.stdin?.on('error', () => undefined);
  const pid = child.pid ?? 0;
  return {
    pid,
    exited,
    async stop(withinMs) {
      child.stdin?.end();
      if (await settlesWithin(withinMs, exited)) return;
      if (pid !== 0) sendSignal(-pid, 'SIGKILL');
      await exited;
    },
  };
}
