import { execFile } from 'node:child_process';
import { readdir, readFile, stat } from 'node:fs/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const onLinux = process.platform === 'linux';

/** What an errno error says, or undefined for any other error. */
export function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string'
    ? error.code
    : undefined;
}

/**
 * When the process began, in an opaque form that differs when a pid is used again (Linux: clock
 * ticks since boot; elsewhere the text of `ps`). Undefined when there is no such process, or only a
 * zombie that nobody has reaped.
 */
export async function startOfProcess(pid: number): Promise<string | undefined> {
  if (onLinux) {
    const entry = await linuxProcess(pid);
    return entry === undefined || entry.state === 'Z' ? undefined : entry.startedAt;
  }
  const lines = await psLines(['-o', 'stat=,lstart=', '-p', String(pid)]);
  const [state = '', ...start] = lines[0]?.trim().split(/\s+/) ?? [];
  return start.length === 0 || state.startsWith('Z') ? undefined : start.join(' ');
}

/**
 * Pids of the living PostgreSQL processes that work on this data directory: the server and, on
 * Linux, its backends too, which outlive a server that was killed.
 */
export async function postgresProcessesIn(directory: string): Promise<number[]> {
  if (!onLinux) {
    const lines = await psLines(['-axww', '-o', 'pid=,command=']);
    const servers = lines.filter(
      (line) => /^\s*\d+ \S*postgres /.test(line) && line.includes(` -D ${directory} `),
    );
    return servers.map((line) => Number.parseInt(line, 10));
  }
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const ours = await Promise.all(pids.map((pid) => isPostgresIn(pid, directory)));
  return pids.filter((_, index) => ours[index]);
}

/**
 * True when the pid certainly belongs to no running PostgreSQL process although it is taken; false
 * where that cannot be told.
 */
export async function isTakenByAnother(pid: number): Promise<boolean> {
  const entry = onLinux ? await linuxProcess(pid) : undefined;
  return entry !== undefined && (entry.name !== 'postgres' || entry.state === 'Z');
}

/**
 * Sends the signal (to a whole group when `pid` is negative); false when there is no such process
 * any more.
 */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal);
  } catch (error) {
    // EPERM is what macOS answers for a group of zombies.
    if (errnoOf(error) === 'ESRCH' || errnoOf(error) === 'EPERM') return false;
    throw error;
  }
}

async function isPostgresIn(pid: number, directory: string): Promise<boolean> {
  const entry = await linuxProcess(pid);
  if (entry?.name !== 'postgres' || entry.state === 'Z') return false;
  try {
    // The working directory of every PostgreSQL process is its data directory; the inode holds even
    // after a move.
    const [works, wanted] = await Promise.all([stat(`/proc/${pid}/cwd`), stat(directory)]);
    return works.ino === wanted.ino && works.dev === wanted.dev;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ESRCH') return false;
    // Another user's process in a container without CAP_SYS_PTRACE: its command line is still
    // readable.
    return (await textOf(`/proc/${pid}/cmdline`))?.split('\0').includes(directory) ?? false;
  }
}

async function linuxProcess(
  pid: number,
): Promise<{ name: string; state: string; startedAt: string } | undefined> {
  const text = await textOf(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // "pid (name) state …": the name may itself hold spaces and parentheses. Field 3 is the state,
  // field 22 the start.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  return {
    name: text.slice(text.indexOf('(') + 1, end),
    state: fields[0] ?? '',
    startedAt: fields[19] ?? '',
  };
}

async function textOf(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(errnoOf(error) ?? '')) return undefined;
    throw error;
  }
}

async function psLines(args: string[]): Promise<string[]> {
  try {
    const { stdout } = await run('ps', args, {
      env: { ...process.env, LC_ALL: 'C' },
      timeout: 5_000,
    });
    return stdout.split('\n').filter((line) => line !== '');
  } catch (error) {
    // `ps -p` answers exit code 1 and nothing for a pid that does not exist.
    if (error instanceof Error && 'code' in error && error.code === 1) return [];
    throw error;
  }
}
