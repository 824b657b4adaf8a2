import { mkdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf, messageOf } from './errors.ts';

/**
 * Makes the directory and those above it (mode 0700) where they are not there. Step by step: Node's
 * recursive mkdir never ends where the file system answers ENOENT to every mkdir, as /proc does.
 * @throws Error, in one sentence that names the variable `name` and the path
 */
export async function makeDirectory(path: string, name: string): Promise<void> {
  try {
    await make(resolve(path));
  } catch (error) {
    const reason = codeOf(error) ?? messageOf(error);
    throw new Error(
      `${name} ${path} cannot be used: no directory can be made there (${reason}). Set ${name} to another one.`,
      { cause: error },
    );
  }
}

async function make(path: string): Promise<void> {
  if (await isDirectory(path)) return;
  if (dirname(path) !== path) await make(dirname(path));
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (error) {
    // Another process was quicker.
    if (codeOf(error) !== 'EEXIST' || !(await isDirectory(path))) throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
