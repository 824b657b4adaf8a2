import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import pino from 'pino';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { until, within } from '../kit/until.ts';

/** A server, and the messages of its log. */
async function server(t: TestContext, options: { keepAliveMs?: number; port?: number } = {}) {
  const messages: string[] = [];
  const log = pino({}, { write: (line: string) => messages.push(JSON.parse(line).msg) });
  const { port = 0, ...more } = options;
  const app = createHttpServer({ log, ...more });
  app.get('/things', async () => ({}));
  await listen(app, { host: '127.0.0.1', port, portVariable: 'PORT' });
  t.after(() => app.close());
  return { port: Number(new URL(app.listeningOrigin).port), messages };
}

test('an idle connection is closed after KEEP_ALIVE_SECONDS, and not before', async (t) => {
  const { port } = await server(t, { keepAliveMs: 1_000 });
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.write('GET /things HTTP/1.1\r\nhost: x\r\n\r\n');
  await within('an answer', once(client, 'data'));
  const answered = performance.now();
  client.resume();
  await within('the end of the connection', once(client, 'close'));
  const keptMs = performance.now() - answered;
  assert.ok(keptMs > 900 && keptMs < 6_000, `${keptMs} ms`);
});

test('a program that answers on the port of localhost by IPv6 is told', async (t) => {
  const other = createServer();
  const listens = await new Promise<boolean>((resolve) => {
    other.once('error', () => resolve(false)).listen(0, '::1', () => resolve(true));
  });
  if (!listens) return t.skip('this machine has no IPv6');
  t.after(() => other.close());
  const { port } = other.address() as { port: number };
  const { messages } = await server(t, { port });
  await until('the warning', () => messages.some((text) => /another program answers/.test(text)));
  assert.deepEqual((await server(t)).messages, []);
});
