import { access } from 'node:fs/promises';
import { codeOf } from '@orders/platform/process/errors';

/**
 * Whether there is something at the path. Throws what is no answer, such as a folder that may not
 * be entered.
 */
export async function pathExists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return false;
    throw error;
  }
}
