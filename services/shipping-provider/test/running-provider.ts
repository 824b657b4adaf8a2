import { type ChildProcess, spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import type { LedgerEntry } from '@orders/contracts/shipping';
import { readConfig } from '@orders/platform/process/config';
import { createLog } from '@orders/platform/process/log';
import { ShippingProviderConfig } from '../src/config.ts';
import { createShippingProvider } from '../src/service.ts';

/** No request of a test may take longer. */
const requestMs = 20_000;
const main = join(import.meta.dirname, '../src/main.ts');

/** SHA-256 of what `post` books unless it is told otherwise. */
export const content = hash('sha256', 'c\x1fn\x1fp\x1f1');

export const silentLog = createLog({ service: 'test', level: 'silent' });

/** A folder of its own that goes with the test. */
export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'shipping-provider-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** A provider in this process on a free port. */
export async function startProvider(
  t: TestContext,
  env: NodeJS.ProcessEnv = {},
  ledgerFile?: string,
) {
  const config = readConfig(ShippingProviderConfig, { SHIPPING_PROVIDER_PORT: '0', ...env });
  const provider = await createShippingProvider({
    config,
    log: silentLog,
    ...(ledgerFile && { ledgerFile }),
  });
  const url = await provider.listen();
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= provider.close());
  t.after(close);
  return { url, close, ...clientOf(url) };
}

type LogLine = { msg: string; url?: string; ledgerFile?: string | null; [name: string]: unknown };

/**
 * A provider as its own process on a free port; `lines` gathers its log. `shell` may set limits
 * before it starts.
 */
export async function spawnProvider(t: TestContext, env: NodeJS.ProcessEnv, shell = '') {
  const child = spawn('bash', ['-c', `${shell} exec "$0" "$1"`, process.execPath, main], {
    env: { PATH: process.env.PATH, SHIPPING_PROVIDER_PORT: '0', ...env },
    cwd: await temporaryFolder(t),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => kill(child, 'SIGKILL'));
  const lines: LogLine[] = [];
  const listening = Promise.withResolvers<string>();
  createInterface({ input: child.stdout }).on('line', (line) => {
    const entry = JSON.parse(line) as LogLine;
    lines.push(entry);
    if (entry.url !== undefined) listening.resolve(entry.url);
  });
  child.on('exit', (code) =>
    listening.reject(new Error(`The provider ended with ${code} before it listened.`)),
  );
  const url = await listening.promise;
  return { url, lines, kill: (signal: NodeJS.Signals) => kill(child, signal), ...clientOf(url) };
}

async function kill(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await once(child, 'exit');
  }
  return child.exitCode;
}

export type Answer = { status: number; headers: Headers; body: Record<string, unknown> };

export type Order = {
  key?: string | null;
  productId?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
};

function clientOf(url: string) {
  async function request(path: string, init: RequestInit = {}): Promise<Answer> {
    const signal = AbortSignal.any([
      AbortSignal.timeout(requestMs),
      ...(init.signal ? [init.signal] : []),
    ]);
    const response = await fetch(url + path, { ...init, signal });
    return {
      status: response.status,
      headers: response.headers,
      body: JSON.parse((await response.text()) || '{}'),
    };
  }
  const send = (method: string, path: string, body: unknown, more: RequestInit = {}) =>
    request(path, {
      method,
      body: typeof body === 'string' ? body : JSON.stringify(body),
      ...more,
      headers: { 'content-type': 'application/json', ...(more.headers as Record<string, string>) },
    });
  return {
    request,
    send,
    /** Books; `key`: the Idempotency-Key, the reference unless given, null for none. */
    post(
      reference: string,
      { key = reference, productId = 'p', headers = {}, signal }: Order = {},
    ): Promise<Answer> {
      const body = {
        reference,
        recipient: { customerId: 'c', name: 'n' },
        items: [{ productId, quantity: 1 }],
      };
      const keyed = key === null ? headers : { 'idempotency-key': key, ...headers };
      return send('POST', '/api/shipments', body, { headers: keyed, ...(signal && { signal }) });
    },
    lookUp: (reference: string) => request(`/api/shipments/${encodeURIComponent(reference)}`),
    simulate: (change: object) => send('PUT', '/simulation', change),
    async ledger(): Promise<LedgerEntry[]> {
      const response = await fetch(`${url}/simulation/ledger`, {
        signal: AbortSignal.timeout(requestMs),
      });
      const text = await response.text();
      return text
        .split('\n')
        .flatMap((line) => (line === '' ? [] : [JSON.parse(line) as LedgerEntry]));
    },
  };
}

/** All that it yields. */
export async function listOf<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const one of source) all.push(one);
  return all;
}
