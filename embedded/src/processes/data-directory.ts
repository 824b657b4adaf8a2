import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { codeOf } from '@orders/platform/process/errors';
import { makeDirectory } from '@orders/platform/process/make-directory';
import { startOfProcess } from './process-table.ts';

type Owner = { pid: number; processStart: string };

/** Another living process works in this directory. */
export class DataDirectoryInUse extends Error {
  readonly code = 'data_directory_in_use';
  readonly dataDir: string;
  readonly pid: number;

  constructor(dataDir: string, pid: number) {
    super(
      `the data directory ${dataDir} is in use by process ${pid}; stop it, or set DATA_DIR to another directory`,
    );
    this.name = 'DataDirectoryInUse';
    this.dataDir = dataDir;
    this.pid = pid;
  }
}

/**
 * Takes the directory (created, mode 0700, if it is not there) for this process until `release`.
 * The lock is `owner.json`; one left behind by a process that was killed is taken over. Of several
 * starts at the same moment exactly one gets it. Processes in different pid namespaces (containers
 * sharing a volume) do not see each other.
 * @throws DataDirectoryInUse naming the directory and the pid that has it
 */
export async function lockDataDirectory(dataDir: string): Promise<{ release(): Promise<void> }> {
  const directory = resolve(dataDir);
  await makeDirectory(directory, 'DATA_DIR');
  const processStart = startOfProcess(process.pid);
  if (processStart === undefined) throw new Error('the start time of this process is unknown');
  const path = join(directory, 'owner.json');
  const candidate = `${path}.${randomUUID()}`;
  await writeFile(
    candidate,
    `${JSON.stringify({ pid: process.pid, processStart } satisfies Owner)}\n`,
  );
  try {
    await acquire(path, candidate, directory);
  } finally {
    await rm(candidate, { force: true });
  }
  return { release: () => rm(path, { force: true }) };
}

/**
 * Linking a complete file is atomic: a lock never exists without its content. Taking over a stale
 * one takes two steps (look, replace), so they run under a second lock of the same kind, or two
 * starts could both find the old one stale and replace each other's.
 */
async function acquire(
  path: string,
  candidate: string,
  directory: string,
  depth = 0,
): Promise<void> {
  // One round more for each lock that was released or lost its owner while we looked; nobody does
  // that ten times over.
  for (let round = 0; round < 10; round += 1) {
    if (await linked(candidate, path)) return;
    const holder = await livingHolder(path);
    if (holder === 'released') continue;
    if (holder !== 'stale') throw new DataDirectoryInUse(directory, holder.pid);
    if (depth === 3) break;
    const takeover = `${path}.takeover`;
    await acquire(takeover, candidate, directory, depth + 1);
    try {
      if ((await livingHolder(path)) !== 'stale') continue;
      const replacement = `${candidate}.replacement`;
      await rm(replacement, { force: true });
      await link(candidate, replacement);
      await rename(replacement, path);
      return;
    } finally {
      await rm(takeover, { force: true });
    }
  }
  throw new Error(`could not take the lock ${path}; remove it if no process uses ${directory}`);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function livingHolder(path: string): Promise<Owner | 'stale' | 'released'> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'released';
    throw error;
  }
  const owner = parseOwner(text);
  return owner !== undefined && startOfProcess(owner.pid) === owner.processStart ? owner : 'stale';
}

/** Undefined for what a crash of the machine can leave of a file: nothing, zeros. */
function parseOwner(text: string): Owner | undefined {
  try {
    const { pid, processStart } = JSON.parse(text) as Partial<Owner>;
    return Number.isInteger(pid) && typeof processStart === 'string'
      ? { pid: pid as number, processStart }
      : undefined;
  } catch {
    return undefined;
  }
}
