import { whatFailed } from '../postgres/database.ts';
import { CodedError } from '../process/errors.ts';

/**
 * Runs the work of a request. A database that is away becomes 503 `store_unavailable`; a CodedError
 * and a fault of our own pass as they are. A retry is as safe as the work itself.
 */
export async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CodedError || whatFailed(error) === 'bug') throw error;
    throw new CodedError('store_unavailable', 'The database cannot be reached now; try again.');
  }
}
