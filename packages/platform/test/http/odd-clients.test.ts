import assert from 'node:assert/strict';
import { METHODS, request } from 'node:http';
import { connect } from 'node:net';
import { test } from 'node:test';
import pino from 'pino';
import { createHttpServer, type HttpServer, listen } from '../../src/http/server.ts';
import { createLog } from '../../src/process/log.ts';
import { until } from '../kit/until.ts';

test('a method that Node reads is never answered with another status than 405', async (t) => {
  const app = createHttpServer({ log: createLog({ level: 'silent', isTerminal: false }) });
  app.get('/things', async () => ({}));
  app.post('/things', async () => ({}));
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  t.after(() => app.close());
  for (const method of METHODS.filter((one) => !['GET', 'HEAD', 'POST', 'CONNECT'].includes(one))) {
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(`${app.listeningOrigin}/things`, { method, agent: false }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      sent.once('error', reject).end();
    });
    assert.equal(status, 405, method);
  }
});

test('a client that leaves in the middle of its body is no error line', async (t) => {
  const lines: { level: number; msg: string }[] = [];
  const noted = pino({ level: 'debug' }, { write: (line) => void lines.push(JSON.parse(line)) });
  const app = createHttpServer({ log: noted });
  app.post('/things', async ({ body }) => body);
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  t.after(() => app.close());
  const socket = connect(Number(new URL(app.listeningOrigin).port), '127.0.0.1');
  const head = 'POST /things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';
  socket.write(`${head}Content-Length: 1000\r\n\r\n{"name"`);
  await until('the request has come', async () => (await connectionsOf(app)) === 1);
  socket.end();
  await until('the end is noticed', () => lines.length > 0);
  assert.deepEqual(
    lines.map(({ level, msg }) => [level, msg]),
    [[20, 'the client left before its request was complete']],
  );
});

const connectionsOf = (app: HttpServer): Promise<number> =>
  new Promise((resolve, reject) =>
    app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );
