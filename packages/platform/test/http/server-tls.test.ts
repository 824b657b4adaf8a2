import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Agent, request } from 'undici';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { serverTls } from '../../src/http/server-tls.ts';
import { ConfigError } from '../../src/process/config.ts';
import { createLog } from '../../src/process/log.ts';

const directory = mkdtempSync(join(tmpdir(), 'orders-tls-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
};
const TLS_CERT_FILE = join(import.meta.dirname, '../kit/localhost-certificate.pem');
const TLS_KEY_FILE = join(import.meta.dirname, '../kit/localhost-key.pem');
const ca = readFileSync(TLS_CERT_FILE, 'utf8');

test('with certificate and key the port speaks HTTPS only', async (t) => {
  const log = createLog({ level: 'silent', isTerminal: false });
  const app = createHttpServer({ log, tls: serverTls({ TLS_CERT_FILE, TLS_KEY_FILE }) });
  app.get('/hello', async () => ({ hello: 'there' }));
  t.after(() => app.close());
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  assert.match(app.listeningOrigin, /^https:/);
  const dispatcher = new Agent({ connect: { ca } });
  t.after(() => dispatcher.close());
  const answer = await request(`${app.listeningOrigin}/hello`, { dispatcher });
  assert.deepEqual(await answer.body.json(), { hello: 'there' });
  await assert.rejects(request(`${app.listeningOrigin.replace('https:', 'http:')}/hello`));
});

test('without both there is no TLS, and one of them alone, or one that cannot be used, stops the start', () => {
  assert.equal(serverTls({}), undefined);
  assert.throws(
    () => serverTls({ TLS_CERT_FILE }),
    /TLS_CERT_FILE and TLS_KEY_FILE need each other/,
  );
  assert.throws(
    () => serverTls({ TLS_CERT_FILE, TLS_KEY_FILE: join(directory, 'none') }),
    ConfigError,
  );
  assert.throws(
    () => serverTls({ TLS_CERT_FILE, TLS_KEY_FILE: file('junk', 'junk') }),
    /cannot be used/,
  );
});
