import assert from 'node:assert/strict';
import { request } from 'undici';

export type Answer<T> = {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  /**
   * The parsed body where it is JSON, else undefined in spite of its type: check the status first.
   */
  body: T;
  ms: number;
};

/** A problem document (RFC 9457) as the contract has it. */
export type Problem = {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: string;
  requestId: string;
  errors?: { pointer?: string; parameter?: string; detail: string }[];
};

export type CallOptions = {
  json?: unknown;
  body?: string | Buffer;
  headers?: Record<string, string>;
  timeoutMs?: number;
};

/** What only a driver, a library or a stack would say. */
const internals =
  /node_modules|\n\s+at |\bECONN|\bpg_|SQLSTATE|duplicate key|relation "|postgres(?:ql)?:\/\//i;

/**
 * One HTTP call, never repeated. Rejects when there is no answer within `timeoutMs` (default 10 s).
 * Whatever is asked, the contract allows no 5xx but 503 and no word of a driver or a stack: an
 * answer that has one rejects too.
 */
export async function call<T = Problem>(
  method: string,
  url: string,
  options: CallOptions = {},
): Promise<Answer<T>> {
  const begun = performance.now();
  const isJson = options.json !== undefined;
  const answer = await request(url, {
    method,
    headers: { ...(isJson && { 'content-type': 'application/json' }), ...options.headers },
    body: isJson ? JSON.stringify(options.json) : (options.body ?? null),
    signal: AbortSignal.timeout(options.timeoutMs ?? 10_000),
  });
  const text = await answer.body.text();
  const { statusCode: status, headers } = answer;
  const said = `${method} ${url} answered ${status} ${text.slice(0, 500)}`;
  assert.ok(status < 500 || status === 503, said);
  assert.ok(status < 400 || !internals.test(text), said);
  const type = String(headers['content-type'] ?? '');
  const body = (/[/+]json\b/.test(type) && text !== '' ? JSON.parse(text) : undefined) as T;
  return { status, headers, text, body, ms: performance.now() - begun };
}
