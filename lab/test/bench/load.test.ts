import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { openConnection, serializePost } from '../../src/bench/http-connection.ts';
import { postAtRate, postCount, postFor } from '../../src/bench/load.ts';

const created: RequestListener = (request, response) => {
  request.resume().once('end', () => {
    response.writeHead(201, { 'content-length': 2 }).end('{}');
  });
};

test('posts the bodies in turn, unchanged, until the count is accepted', async (t) => {
  const bodies: string[] = [];
  const url = await serve(t, (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk) => {
      body += chunk;
    });
    request.once('end', () => {
      bodies.push(body);
      response.writeHead(201, { 'content-length': 0 }).end();
    });
  });
  const { accepted } = await postCount(
    { url, bodies: ['{"a":"é"}', '{"b":2}'], connections: 1 },
    5,
  );
  assert.equal(accepted, 5);
  assert.deepEqual(bodies, ['{"a":"é"}', '{"b":2}', '{"a":"é"}', '{"b":2}', '{"a":"é"}']);
});

test('counts other answers apart, and posts again until the count is accepted', async (t) => {
  let count = 0;
  const url = await serve(t, (request, response) => {
    count += 1;
    if (count === 2) return void response.destroy();
    if (count === 3) return void response.writeHead(503, { 'content-length': 0 }).end();
    created(request, response);
  });
  const { accepted, others } = await postCount({ url, bodies: ['{}'], connections: 2 }, 10);
  assert.equal(accepted, 10);
  assert.deepEqual(others, { 0: 1, 503: 1 });
});

test('measures after the warm-up only', async (t) => {
  const url = await serve(t, created);
  let isMeasuring = false;
  const time = { warmupSeconds: 0.05, seconds: 0.1 };
  const result = await postFor({ url, bodies: ['{}'], connections: 2 }, time, () => {
    isMeasuring = true;
  });
  assert.equal(isMeasuring, true);
  assert.ok(result.accepted > 0);
  assert.ok(result.seconds >= 0.09 && result.seconds < 0.15 + 5);
  assert.ok(result.latency.p50 > 0 && result.latency.p50 <= result.latency.p99);
});

test('keeps to a rate, and counts latency from when a post was due', async (t) => {
  const url = await serve(t, created);
  const result = await postAtRate({ url, bodies: ['{}'], connections: 8 }, 100, 21);
  assert.equal(result.accepted, 21);
  assert.ok(result.seconds >= 0.199);
});

test('reads an answer that arrives in pieces', async (t) => {
  const server = createTcpServer((socket) => {
    socket.once('data', () => {
      const pieces = ['HTTP/1.1 20', '1 Created\r\nConte', 'nt-Length: 3\r\n\r', '\n{}', ' '];
      const writeNext = (): void => {
        const piece = pieces.shift();
        if (piece !== undefined) socket.write(piece, () => setImmediate(writeNext));
      };
      writeNext();
    });
  });
  t.after(() => server.close());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/api/orders`);
  const connection = openConnection(url);
  t.after(() => connection.close());
  assert.equal(
    await new Promise((resolve) => connection.send(serializePost(url, '{}'), resolve)),
    201,
  );
});

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/orders`;
}
