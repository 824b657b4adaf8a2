import type { PlacedOrder } from '@orders/contracts/orders/api';

/** An answer to POST /api/orders; `status` is undefined where none came. */
export type Answer = {
  status: number | undefined;
  text: string;
  error?: unknown;
  retryAfterSeconds: number | undefined;
};

type ProblemBody = {
  code?: string;
  detail?: string;
  errors?: { pointer?: string; parameter?: string; detail: string }[];
};

/**
 * These say something about the order; other 4xx say that the caller or the address is wrong, which
 * is no verdict.
 */
const refusals = [400, 413, 415, 422];
/** More reasons in one line than this are counted, not listed. */
const reasonsListed = 3;

/**
 * Reads an answer; `again` means that the same request may be sent again and might then be
 * answered.
 */
export function verdictOf(
  answer: Answer,
):
  | 'again'
  | { verdict: 'accepted'; orderId: string }
  | { verdict: 'refused' | 'none'; reason: string } {
  const { status, text } = answer;
  if (status === 201) {
    const placed: Partial<PlacedOrder> | undefined = parse(text);
    if (typeof placed?.orderId === 'string')
      return { verdict: 'accepted', orderId: placed.orderId };
    return { verdict: 'none', reason: '201 without an orderId' };
  }
  if (status === undefined || status >= 500 || status === 408 || status === 409 || status === 429)
    return 'again';
  return { verdict: refusals.includes(status) ? 'refused' : 'none', reason: reasonOf(answer) };
}

/**
 * Why, in words that are the same for the same cause: faults by pointer with `*` for every index,
 * or status and code, or what became of the connection.
 */
export function reasonOf({ status, text, error }: Answer): string {
  if (status === undefined) return `no answer (${nameOf(error)})`;
  const problem: ProblemBody | undefined = parse(text);
  const faults = Array.isArray(problem?.errors) ? problem.errors : [];
  if (faults.length === 0) return `${status} ${problem?.code ?? ''}`.trim();
  const all = new Set(
    faults.map(
      ({ pointer, parameter, detail }) => `${collapse(pointer ?? parameter ?? '')} ${detail}`,
    ),
  );
  const listed = [...all].sort().slice(0, reasonsListed).join('; ');
  return all.size > reasonsListed ? `${listed}; ${all.size - reasonsListed} more` : listed;
}

const collapse = (pointer: string): string => pointer.replaceAll(/\/\d+(?=\/|$)/g, '/*');

function nameOf(error: unknown): string {
  const first = error instanceof AggregateError ? error.errors[0] : error;
  if (first instanceof DOMException) return first.name === 'TimeoutError' ? 'timeout' : 'stopped';
  if (first instanceof Error) return 'code' in first ? String(first.code) : first.name;
  return 'unknown error';
}

function parse<T extends object>(text: string): T | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as T) : undefined;
  } catch {
    return undefined;
  }
}
