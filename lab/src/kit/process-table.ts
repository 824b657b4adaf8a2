import {
  cpuTimeOf,
  type LivingProcess,
  livingProcesses,
  memoryOf,
} from '@orders/embedded/processes/process-table';

/** True where /proc shows the CPU time and memory of a process. */
export const showsUsage = process.platform === 'linux';

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
 * `showsUsage` is false
 */
export function cpuMsOf(pid: number): number {
  const used = cpuTimeOf(pid);
  if (used === undefined) throw new Error(`no process ${pid}`);
  return used.ownMs;
}

/** Memory in MB: resident now, and the most there ever was. Undefined where it does not live. */
export function residentMb(pid: number): { now: number; peak: number } | undefined {
  const memory = memoryOf(pid);
  return memory && { now: memory('VmRSS') / 1_024_000, peak: memory('VmHWM') / 1_024_000 };
}
