import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { until } from './until.ts';

export type Exit = { code: number | null; signal: NodeJS.Signals | null };

/** A program of the product that runs as its own process in its own process group. */
export type Program = {
  readonly pid: number;
  /**
   * What it wrote to standard output and standard error, line by line; of a very long log the end.
   */
  readonly lines: string[];
  readonly exit: Exit | undefined;
  /** To its whole process group, as a terminal sends Ctrl-C. */
  signalGroup(signal: NodeJS.Signals): void;
  /** Resolves when it has ended and its output is read. @throws after `seconds` */
  untilExit(seconds: number): Promise<Exit>;
  /** The end of the log for a message. */
  tail(count?: number): string;
};

const repository = join(import.meta.dirname, '../../..');
const linesMax = 200_000;

/**
 * Starts a TypeScript file of the repository as `node <flags> <file> <args>`. Of this process's
 * environment it gets only what every program needs, so that no setting of the person who runs the
 * tests changes the outcome; for the same reason its working directory must hold no `.env`.
 */
export function startProgram(
  file: string,
  options: { directory: string; env: Record<string, string>; flags?: string[]; args?: string[] },
): Program {
  const { PATH = '', HOME = '', TMPDIR = '/tmp' } = process.env;
  const child = spawn(
    process.execPath,
    [...(options.flags ?? []), join(repository, file), ...(options.args ?? [])],
    {
      cwd: options.directory,
      env: { PATH, HOME, TMPDIR, ...options.env },
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const lines: string[] = [];
  keepLines(child, lines);
  let exit: Exit | undefined;
  child.once('error', (error) => lines.push(`cannot be started: ${error.message}`));
  const pid = child.pid ?? 0;
  const signalGroup = (signal: NodeJS.Signals) => {
    if (pid !== 0 && exit === undefined) sendSignal(-pid, signal);
  };
  // A test that is ended half-way must not leave a system behind that takes the next one's time.
  const endAtExit = () => signalGroup('SIGKILL');
  process.once('exit', endAtExit);
  child.once('close', (code, signal) => {
    exit = { code, signal };
    process.off('exit', endAtExit);
  });
  const tail = (count = 30) =>
    lines
      .slice(-count)
      .map((line) => `  | ${line.slice(0, 400)}`)
      .join('\n');
  return {
    pid,
    lines,
    get exit() {
      return exit;
    },
    signalGroup,
    untilExit: (seconds) => until(`the end of ${file}`, seconds, () => exit, 10),
    tail,
  };
}

/**
 * As `startProgram`, with file and flags of Node as the npm script has them: what `npm run` starts,
 * without npm between.
 */
export function startScript(
  script: string,
  options: { directory: string; env: Record<string, string>; args?: string[] },
): Program {
  const { scripts } = JSON.parse(readFileSync(join(repository, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  const [node, ...words] = (scripts[script] ?? '').replace(/^.*exec /, '').split(' ');
  const file = words.pop();
  if (node !== 'node' || file === undefined)
    throw new Error(`the npm script ${script} is no "node file"`);
  return startProgram(file, { ...options, flags: words });
}

/**
 * Runs a script of package.json to its end: how it ended, and all that it wrote. @throws after
 * `seconds`
 */
export async function runScript(
  script: string,
  options: { directory: string; env: Record<string, string>; args?: string[]; seconds?: number },
): Promise<{ code: number | null; output: string }> {
  const program = startScript(script, options);
  const { code } = await program.untilExit(options.seconds ?? 60);
  return { code, output: program.lines.join('\n') };
}

function keepLines(child: ChildProcess, lines: string[]): void {
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream?.setEncoding('utf8').on('data', (chunk: string) => {
      const parts = (rest + chunk).split('\n');
      rest = parts.pop() ?? '';
      for (const line of parts) lines.push(line);
      if (lines.length > linesMax) lines.splice(0, lines.length - linesMax / 2);
    });
    stream?.once('end', () => {
      if (rest !== '') lines.push(rest);
    });
  }
}
