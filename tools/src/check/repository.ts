import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

/**
 * The files that a clone would have, and their text. Rules see the repository only through this, so
 * tests can invent one.
 */
export interface Repository {
  /** Absolute path of the root, for programs that are run in it. */
  readonly root: string;
  /** Paths from the root with forward slashes, sorted. */
  readonly files: readonly string[];
  /** The file's text. Rejects if there is no such file. */
  read(path: string): Promise<string>;
}

/**
 * Opens the checkout at `root`: every file that git tracks or would track (new files count before
 * they are added, ignored ones never). Rejects where git or its directory is missing.
 */
export async function openRepository(root: string): Promise<Repository> {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard'];
  const { stdout } = await promisify(execFile)('git', list, {
    cwd: root,
    maxBuffer: 16 * 1024 * 1024,
    timeout: 30_000,
  });
  const files = [...new Set(stdout.split('\0'))]
    .filter((path) => path !== '' && existsSync(join(root, path))) // deleted, but not yet in git
    .sort();
  return { root, files, read: (path) => readFile(join(root, path), 'utf8') };
}

/** Calls `visit` with each text of the files that `choose` picks, one file at a time. */
export async function readEach(
  repository: Repository,
  choose: (path: string) => boolean,
  visit: (path: string, text: string) => void,
): Promise<void> {
  for (const path of repository.files.filter(choose)) visit(path, await repository.read(path));
}

/** The root package.json, as far as the rules ask. */
export async function readScripts(repository: Repository): Promise<Record<string, string>> {
  const manifest: { scripts?: Record<string, string> } = JSON.parse(
    await repository.read('package.json'),
  );
  return manifest.scripts ?? {};
}
