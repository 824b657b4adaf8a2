import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { createLog } from '../../src/process/log.ts';
import { until, within } from '../kit/until.ts';

const log = createLog({ level: 'silent', isTerminal: false });
/** More than the buffers of two sockets take. */
const large = 'x'.repeat(8_000_000);

async function server(t: TestContext): Promise<URL> {
  const app = createHttpServer({ log });
  app.get('/large', async () => large);
  app.get('/small', async () => 'y');
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  t.after(() => app.close());
  return new URL(app.listeningOrigin);
}

/** Asks and reads nothing of the answer. */
async function askAndStandStill(t: TestContext, url: URL) {
  const socket = connect(Number(url.port), url.hostname).on('error', () => undefined);
  await once(socket, 'connect');
  t.after(() => socket.destroy());
  socket.pause();
  socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n');
  return socket;
}

const statusOf = async (url: URL, path: string): Promise<number> => {
  const answer = await fetch(new URL(path, url), { signal: AbortSignal.timeout(10_000) });
  await answer.arrayBuffer();
  return answer.status;
};

test('readers that stand still fill a bounded room: large answers are 503 then, small ones go out', async (t) => {
  const url = await server(t);
  const readers = await Promise.all(Array.from({ length: 4 }, () => askAndStandStill(t, url)));
  await until('the room to be full', async () => (await statusOf(url, '/large')) === 503);
  const refused = await fetch(new URL('/large', url));
  assert.equal(((await refused.json()) as { code: string }).code, 'overloaded');
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  assert.equal(await statusOf(url, '/small'), 200);
  for (const socket of readers) socket.destroy();
  await until('room again', async () => (await statusOf(url, '/large')) === 200);
});

test('a reader that stands still is cut off after 30 seconds', async (t) => {
  const url = await server(t);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const socket = await askAndStandStill(t, url);
  const closed = once(socket, 'close');
  for (let seconds = 0; seconds < 60; seconds += 1) {
    await new Promise(setImmediate);
    t.mock.timers.tick(1_000);
  }
  socket.resume();
  await within('the end of the connection', closed);
});
