import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { type AccessConfig, addAccess } from '../../src/http/access.ts';
import { addApiDocs } from '../../src/http/api-docs.ts';
import { newApiKey, type Scope, writeApiKeys } from '../../src/http/api-keys.ts';
import { addOperationsRoutes } from '../../src/http/health-routes.ts';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { createLog } from '../../src/process/log.ts';
import { createMetrics } from '../../src/process/metrics.ts';

export const directory = mkdtempSync(join(tmpdir(), 'orders-keys-'));
after(() => rmSync(directory, { recursive: true, force: true }));
export const log = createLog({ level: 'silent', isTerminal: false });

/** A file of keys with these scopes; `bearer` has the headers of their callers. */
export async function keyFile(name: string, ...of: Scope[][]) {
  const path = join(directory, name);
  const made = of.map((scopes) => newApiKey(name, scopes));
  await writeApiKeys(
    path,
    made.map(({ entry }) => entry),
  );
  return { path, made, bearer: made.map(({ key }) => ({ authorization: `Bearer ${key}` })) };
}

/** A server with a route to read, one to write and the usual ones of operating. */
export async function keyedServer(t: TestContext, config: Partial<AccessConfig>): Promise<string> {
  const app = createHttpServer({ log });
  t.after(() => app.close());
  await addAccess(app, { config: { PROFILE: 'local', ...config }, log });
  await addApiDocs(app, { title: 'Things', version: '1', description: '', asyncApi: {} });
  app.post('/things', { config: { scope: 'orders:write' } }, async ({ body, caller }) => ({
    body,
    caller,
  }));
  app.get('/things', { config: { scope: 'orders:read' } }, async ({ caller }) => ({ caller }));
  addOperationsRoutes(app, { metrics: createMetrics('things'), isReady: async () => undefined });
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  return app.listeningOrigin;
}

/** The answer, its body read as JSON where it is. */
export async function ask(url: string, path: string, init: RequestInit = {}) {
  const response = await fetch(url + path, { ...init, signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return {
    status: response.status,
    headers: response.headers,
    body: isJson && text !== '' ? JSON.parse(text) : text,
  };
}
