import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { codeOf } from '@orders/platform/process/errors';

const onLinux = process.platform === 'linux';
/** CPU time in /proc counts in ticks of 10 ms on every platform that Node runs on (USER_HZ). */
const tickMs = 10;

export type LivingProcess = { pid: number; parent: number; group: number; name: string };

/** Every process that lives now; zombies, which some containers never reap, are dead. */
export function livingProcesses(): LivingProcess[] {
  if (onLinux) {
    return readdirSync('/proc').flatMap((name) => {
      const entry = /^\d+$/.test(name) ? statOf(Number(name)) : undefined;
      return entry === undefined || isDead(entry.state) ? [] : [entry];
    });
  }
  return psLines(['-A', '-o', 'stat=,pid=,ppid=,pgid=,comm=']).flatMap((line) => {
    const [state = 'Z', pid, parent, group, ...name] = line.trim().split(/\s+/);
    if (isDead(state)) return [];
    const numbers = { pid: Number(pid), parent: Number(parent), group: Number(group) };
    return [{ ...numbers, name: name.join(' ') }];
  });
}

/**
 * When the process began, in an opaque form that differs when a pid is used again (Linux: clock
 * ticks since boot; elsewhere the text of `ps`). Undefined when there is no such process, or only a
 * zombie that nobody has reaped.
 */
export function startOfProcess(pid: number): string | undefined {
  if (onLinux) {
    const entry = statOf(pid);
    return entry === undefined || isDead(entry.state) ? undefined : entry.startedAt;
  }
  const [line = ''] = psLines(['-o', 'stat=,lstart=', '-p', String(pid)]);
  const [state = '', ...start] = line.trim().split(/\s+/);
  return start.length === 0 || isDead(state) ? undefined : start.join(' ');
}

/** CPU time in milliseconds: of the process itself, and of its children that have ended. */
export type CpuTime = { ownMs: number; endedChildrenMs: number };

/** The CPU time used so far; undefined where there is no /proc or no such process. */
export function cpuTimeOf(pid: number): CpuTime | undefined {
  const entry = onLinux ? statOf(pid) : undefined;
  return entry && { ownMs: entry.ownMs, endedChildrenMs: entry.endedChildrenMs };
}

/**
 * Reads the memory of a process, in bytes, by the names of /proc/<pid>/status (VmRSS, VmHWM, …), 0
 * for a name that is not there. Undefined where there is no /proc or no such process.
 */
export function memoryOf(pid: number): ((name: string) => number) | undefined {
  const text = onLinux ? textOf(`/proc/${pid}/status`) : undefined;
  if (text === undefined) return undefined;
  return (name) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
}

/**
 * Pids of the living PostgreSQL processes that work on this data directory: the server and, on
 * Linux, its backends too, which outlive a server that was killed.
 */
export function postgresProcessesIn(directory: string): number[] {
  if (onLinux) {
    const servers = livingProcesses().filter(({ name }) => name === 'postgres');
    return servers.map(({ pid }) => pid).filter((pid) => worksIn(pid, directory));
  }
  const servers = psLines(['-axww', '-o', 'pid=,command=']).filter(
    (line) => /^\s*\d+ \S*postgres /.test(line) && line.includes(` -D ${directory} `),
  );
  return servers.map((line) => Number.parseInt(line, 10));
}

/**
 * True when the pid certainly belongs to no running PostgreSQL process although it is taken; false
 * where that cannot be told.
 */
export function isTakenByAnother(pid: number): boolean {
  const entry = onLinux ? statOf(pid) : undefined;
  return entry !== undefined && (entry.name !== 'postgres' || isDead(entry.state));
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
    if (codeOf(error) === 'ESRCH' || codeOf(error) === 'EPERM') return false;
    throw error;
  }
}

function worksIn(pid: number, directory: string): boolean {
  try {
    // The working directory of every PostgreSQL process is its data directory; the inode holds even
    // after a move.
    const [works, wanted] = [statSync(`/proc/${pid}/cwd`), statSync(directory)];
    return works.ino === wanted.ino && works.dev === wanted.dev;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ESRCH') return false;
    // Another user's process in a container without CAP_SYS_PTRACE: its command line is still
    // readable.
    return textOf(`/proc/${pid}/cmdline`)?.split('\0').includes(directory) ?? false;
  }
}

const isDead = (state: string): boolean => state.startsWith('Z') || state.startsWith('X');

function statOf(pid: number) {
  const text = textOf(`/proc/${pid}/stat`);
  if (text === undefined) return undefined;
  // "pid (name) state …": the name may itself hold spaces and parentheses. The fields are numbered
  // as in proc(5), where the state is the third.
  const end = text.lastIndexOf(')');
  const fields = text.slice(end + 2).split(' ');
  const at = (number: number): string => fields[number - 3] ?? '';
  return {
    pid,
    name: text.slice(text.indexOf('(') + 1, end),
    state: at(3),
    parent: Number(at(4)),
    group: Number(at(5)),
    ownMs: (Number(at(14)) + Number(at(15))) * tickMs,
    endedChildrenMs: (Number(at(16)) + Number(at(17))) * tickMs,
    startedAt: at(22),
  };
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes(codeOf(error) ?? '')) return undefined;
    throw error;
  }
}

function psLines(args: string[]): string[] {
  try {
    const stdout = execFileSync('ps', args, {
      env: { ...process.env, LC_ALL: 'C' },
      encoding: 'utf8',
      timeout: 5_000,
    });
    return stdout.split('\n').filter((line) => line !== '');
  } catch (error) {
    // `ps -p` answers exit code 1 and nothing for a pid that does not exist.
    if (error instanceof Error && 'status' in error && error.status === 1) return [];
    throw error;
  }
}
