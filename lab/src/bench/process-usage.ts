import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cpuTimeOf, livingProcesses, memoryOf } from '@orders/embedded/processes/process-table';

/** What processes have used: CPU since they began, memory now and at most. */
export type Usage = { cpuSeconds: number; rssBytes: number; peakRssBytes: number };

/** What one process has used, or undefined where there is no /proc or no such process. */
export function usageOf(pid: number): Usage | undefined {
  const [cpu, memory] = [cpuTimeOf(pid), memoryOf(pid)];
  if (cpu === undefined || memory === undefined) return undefined;
  return {
    cpuSeconds: cpu.ownMs / 1_000,
    rssBytes: memory('VmRSS'),
    peakRssBytes: memory('VmHWM'),
  };
}

/**
 * What a PostgreSQL server has used with all its processes, those included that have ended. Its
 * memory is what the processes hold for themselves, plus what they share counted once: their sum
 * alone would count the shared buffers with every process.
 */
export async function usageOfPostgres(dataDir: string): Promise<Usage | undefined> {
  const postmaster = await readPostmasterPid(dataDir);
  if (postmaster === undefined) return undefined;
  let cpuMs = 0;
  let own = 0;
  let shared = 0;
  for (const { pid, parent } of livingProcesses()) {
    if (pid !== postmaster && parent !== postmaster) continue;
    const [cpu, memory] = [cpuTimeOf(pid), memoryOf(pid)];
    if (cpu === undefined || memory === undefined) continue;
    cpuMs += cpu.ownMs + (pid === postmaster ? cpu.endedChildrenMs : 0);
    own += memory('RssAnon');
    shared = Math.max(shared, memory('RssShmem') + memory('RssFile'));
  }
  const rssBytes = own + shared;
  return { cpuSeconds: cpuMs / 1_000, rssBytes, peakRssBytes: rssBytes };
}

async function readPostmasterPid(dataDir: string): Promise<number | undefined> {
  const text = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return Number.isNaN(pid) ? undefined : pid;
}
