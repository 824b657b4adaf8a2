import { whatFailed } from '../postgres/database.ts';
import { isBusyPool } from '../postgres/pool.ts';
import { CodedError } from '../process/errors.ts';

/**
 * Runs the work of a request. A database that is away becomes 503 `store_unavailable`; connections
 * that are all in use become 503 `overloaded`; a CodedError and a fault of our own pass as they
 * are. A retry is as safe as the work itself.
 */
export async function orUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CodedError || whatFailed(error) === 'bug') throw error;
    if (isBusyPool(error))
      throw new CodedError('overloaded', 'Too many requests wait for the database; try again.');
    throw new CodedError('store_unavailable', 'The database cannot be reached now; try again.');
  }
}
