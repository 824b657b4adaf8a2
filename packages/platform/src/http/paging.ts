import { bodyError, parameterError } from './request-validation.ts';

/** Above every id that anybody makes: where a walk from the newest begins. */
export const highestId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/** The token of the page that begins after this id. */
export const toPageToken = (id: string): string =>
  Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url');

/**
 * The id after which the page begins. @throws 400 for what is no token of ours, naming where it
 * stood
 */
export function fromPageToken(token: string, stoodIn: 'query' | 'body' = 'query'): string {
  const hex = Buffer.from(token, 'base64url').toString('hex');
  const id = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  if (id.length === 36 && toPageToken(id) === token) return id;
  const detail = 'must be the nextPageToken of a page';
  throw stoodIn === 'query' ? parameterError('pageToken', detail) : bodyError('/pageToken', detail);
}
