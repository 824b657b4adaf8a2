import { access } from 'node:fs/promises';
import { errnoOf } from './process-table.ts';

/**
 * Whether there is something at the path. Throws what is no answer, such as a folder that may not
 * be entered.
 */
export async function pathExists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return false;
    throw error;
  }
}
