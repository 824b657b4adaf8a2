import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { type ServerTls, serverTls } from '../../src/http/server-tls.ts';
import { createLog } from '../../src/process/log.ts';
import { within } from '../kit/until.ts';

const log = createLog({ level: 'silent', isTerminal: false });

async function server(t: TestContext, tls?: ServerTls): Promise<number> {
  const app = createHttpServer({
    log,
    tls,
    patience: { headersMs: 300, requestMs: 600, checkMs: 50 },
  });
  app.post('/things', async ({ body }) => body);
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  t.after(() => app.close());
  return Number(new URL(app.listeningOrigin).port);
}

/**
 * Sends a piece at a time, for ever; resolves to what came back when the server has closed the
 * connection.
 */
function drip(t: TestContext, port: number, first: string, piece: string): Promise<string> {
  return within(
    'the server closes the connection',
    new Promise((resolve) => {
      let answer = '';
      const socket = connect(port, '127.0.0.1', () => socket.write(first));
      const dripping = setInterval(() => socket.writable && socket.write(piece), 40);
      t.after(() => {
        clearInterval(dripping);
        socket.destroy();
      });
      socket.on('data', (chunk) => {
        answer += chunk.toString();
      });
      // Writing to a connection that was cut fails as well.
      socket.on('error', () => resolve(answer));
      socket.on('close', () => resolve(answer));
    }),
  );
}

const start = 'POST /things HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n';

test('a client that drips its headers is cut off with 408', async (t) => {
  assert.match(await drip(t, await server(t), start, 'x'), /^HTTP\/1\.1 408 /);
});

test('a client that drips its body is cut off with 408', async (t) => {
  const port = await server(t);
  assert.match(
    await drip(t, port, `${start}content-length: 100000\r\n\r\n{`, ' '),
    /^HTTP\/1\.1 408 /,
  );
});

test('a client of HTTPS that does not begin TLS, or speaks HTTP, is cut off without a word', async (t) => {
  const file = (name: string) => join(import.meta.dirname, `../kit/localhost-${name}.pem`);
  const port = await server(
    t,
    serverTls({ TLS_CERT_FILE: file('certificate'), TLS_KEY_FILE: file('key') }),
  );
  assert.doesNotMatch(await drip(t, port, '', ''), /HTTP/);
  await drip(t, port, start, 'x');
});

test('a flood of headers is answered 431', async (t) => {
  const port = await server(t);
  const flood = Array.from({ length: 400 }, (_, i) => `x-${i}: ${'y'.repeat(60)}\r\n`).join('');
  assert.match(await drip(t, port, start + flood, ''), /^HTTP\/1\.1 431 /);
});
