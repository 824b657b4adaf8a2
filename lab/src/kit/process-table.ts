import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

export type LivingProcess = { pid: number; parent: number; group: number; name: string };

/** True where /proc tells the CPU time and memory of a process. */
export const tellsCpuTime = process.platform === 'linux';
/**
 * Ticks of /proc/<pid>/stat: a constant of the interface (USER_HZ) on every platform that Node runs
 * on.
 */
const ticksPerSecond = 100;

/** Every process that lives now; zombies, which some containers never reap, are dead. */
export function livingProcesses(): LivingProcess[] {
  if (process.platform !== 'linux') return fromPs();
  return readdirSync('/proc').flatMap((pid) => {
    const fields = /^\d+$/.test(pid) ? statOf(Number(pid)) : undefined;
    if (fields === undefined || fields.rest[0] === 'Z' || fields.rest[0] === 'X') return [];
    return [
      {
        pid: Number(pid),
        name: fields.name,
        parent: Number(fields.rest[1]),
        group: Number(fields.rest[2]),
      },
    ];
  });
}

/**
 * The process and all that descend from it. The backends of PostgreSQL are in groups of their own:
 * only their parent tells.
 */
export function treeOf(root: number, table: LivingProcess[] = livingProcesses()): LivingProcess[] {
  const found = table.filter(({ pid }) => pid === root);
  for (let index = 0; index < found.length; index += 1) {
    const parent = found[index]?.pid;
    found.push(...table.filter((one) => one.parent === parent && one.pid !== root));
  }
  return found;
}

/**
 * CPU time in milliseconds that the process has used so far. @throws when it does not live or
 * `tellsCpuTime` is false
 */
export function cpuMsOf(pid: number): number {
  const fields = statOf(pid);
  if (fields === undefined) throw new Error(`no process ${pid}`);
  return ((Number(fields.rest[11]) + Number(fields.rest[12])) * 1000) / ticksPerSecond;
}

/**
 * The most memory in MB that the process ever had resident. @throws when it does not live or
 * `tellsCpuTime` is false
 */
export function peakResidentMb(pid: number): number {
  const [, kilobytes] =
    /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1_000;
}

/**
 * The memory in MB that the process has resident now; undefined when it does not live. @throws when
 * `tellsCpuTime` is false
 */
export function residentMb(pid: number): number | undefined {
  if (statOf(pid) === undefined) return undefined;
  const [, kilobytes] =
    /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) / 1_000;
}

/** Sends a signal; a process that is gone already is as good. */
export function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function statOf(pid: number): { name: string; rest: string[] } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const end = text.lastIndexOf(')');
    return { name: text.slice(text.indexOf('(') + 1, end), rest: text.slice(end + 2).split(' ') };
  } catch {
    return undefined; // it ended meanwhile
  }
}

function fromPs(): LivingProcess[] {
  const lines = execFileSync('ps', ['-A', '-o', 'stat=,pid=,ppid=,pgid=,comm='], {
    encoding: 'utf8',
  }).split('\n');
  return lines.flatMap((line) => {
    const [state = 'Z', pid, parent, group, ...name] = line.trim().split(/\s+/);
    if (state.startsWith('Z') || pid === undefined) return [];
    return [
      { pid: Number(pid), parent: Number(parent), group: Number(group), name: name.join(' ') },
    ];
  });
}
