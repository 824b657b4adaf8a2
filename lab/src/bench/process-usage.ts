import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What processes have used: CPU since they began, memory now and at most. */
export type Usage = { cpuSeconds: number; rssBytes: number; peakRssBytes: number };

/** /proc counts CPU in ticks of 10 ms on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** What one process has used, or undefined where there is no /proc or no such process. */
export async function usageOf(pid: number): Promise<Usage | undefined> {
  const [stat, status] = await Promise.all([readStat(pid), readStatus(pid)]);
  if (stat === undefined || status === undefined) return undefined;
  return {
    cpuSeconds: stat.ownTicks / ticksPerSecond,
    rssBytes: status('VmRSS'),
    peakRssBytes: status('VmHWM'),
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
  const stats = await Promise.all(
    (await readdir('/proc'))
      .filter((name) => /^\d+$/.test(name))
      .map((name) => readStat(Number(name))),
  );
  const family = stats.filter(
    (stat) => stat !== undefined && (stat.pid === postmaster || stat.parent === postmaster),
  );
  let ticks = 0;
  let own = 0;
  let shared = 0;
  for (const stat of family) {
    const status = await readStatus(stat?.pid ?? 0);
    if (stat === undefined || status === undefined) continue;
    ticks += stat.ownTicks + (stat.pid === postmaster ? stat.endedChildrenTicks : 0);
    own += status('RssAnon');
    shared = Math.max(shared, status('RssShmem') + status('RssFile'));
  }
  const rssBytes = own + shared;
  return { cpuSeconds: ticks / ticksPerSecond, rssBytes, peakRssBytes: rssBytes };
}

async function readPostmasterPid(dataDir: string): Promise<number | undefined> {
  const text = await readFile(join(dataDir, 'postgres/postmaster.pid'), 'utf8').catch(() => '');
  const pid = Number.parseInt(text, 10);
  return Number.isNaN(pid) ? undefined : pid;
}

async function readStat(pid: number) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  // The name in brackets may hold spaces; the fields are counted from behind it (state is the third
  // of proc(5)).
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const at = (number: number): number => fields[number - 3] ?? 0;
  return { pid, parent: at(4), ownTicks: at(14) + at(15), endedChildrenTicks: at(16) + at(17) };
}

async function readStatus(pid: number): Promise<((name: string) => number) | undefined> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  return (name) => Number(new RegExp(`^${name}:\\s*(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
}
