import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { createSecureServer } from 'node:http2';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { createShippingClient } from '../../src/ship/provider-client.ts';
import { scriptedProvider } from '../scripted-provider.ts';

const call = { orderId: 'order-1', payload: '{}', correlationId: null, traceparent: null };
const shipped = JSON.stringify({ reference: 'order-1', trackingNumber: 'T1' });
const kit = join(import.meta.dirname, '../../../../packages/platform/test/kit');
const certificate = readFileSync(join(kit, 'localhost-certificate.pem'), 'utf8');
const key = readFileSync(join(kit, 'localhost-key.pem'));

function clientOf(t: TestContext, baseUrl: string, more: object = {}) {
  const client = createShippingClient({ baseUrl, timeoutMs: 500, connections: 4, ...more });
  t.after(() => client.close());
  return client;
}

/** Listens on a free port, with all its sockets gone after the test. */
async function listening(
  t: TestContext,
  server: Pick<Server, 'listen' | 'close' | 'address' | 'on'>,
) {
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  server.on('secureConnection', (socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function trustLocalhost(t: TestContext): void {
  const before = getCACertificates('default');
  setDefaultCACertificates([...before, certificate]);
  t.after(() => setDefaultCACertificates(before));
}

const packers = {
  gzip: gzipSync,
  'X-GZIP': gzipSync,
  deflate: deflateSync,
  br: brotliCompressSync,
  zstd: zstdCompressSync,
  'gzip, br': (text: string) => brotliCompressSync(gzipSync(text)),
};

for (const [encoding, pack] of Object.entries(packers)) {
  test(`an answer packed as ${encoding} is understood though nobody asked for it`, async (t) => {
    let asked: IncomingMessage | undefined;
    const server = createServer((request, response) => {
      asked = request;
      response.writeHead(201, { 'content-encoding': encoding }).end(pack(shipped));
    });
    const client = clientOf(t, `http://127.0.0.1:${await listening(t, server)}`);
    assert.equal((await client.ship(call)).kind, 'shipped');
    assert.equal(asked?.headers['accept-encoding'], 'identity');
  });
}

test('header fields that are sent twice are understood', async (t) => {
  const packed = brotliCompressSync(gzipSync(shipped));
  const answers = [
    { status: 201, fields: ['Content-Encoding: gzip', 'Content-Encoding: br'], body: packed },
    { status: 429, fields: ['Retry-After: 7', 'Retry-After: 9'], body: Buffer.from('{}') },
    {
      status: 404,
      fields: ['Content-Type: text/plain', 'Content-Type: application/json'],
      body: Buffer.from('null'),
    },
  ];
  const server = createTcpServer((socket) => {
    socket.once('data', () => {
      const { status, fields, body } = answers.shift() ?? assert.fail('called too often');
      const head = [`HTTP/1.1 ${status} X`, ...fields, 'Connection: close', '', ''].join('\r\n');
      socket.end(Buffer.concat([Buffer.from(head), body]));
    });
  });
  const client = clientOf(t, `http://127.0.0.1:${await listening(t, server)}`);
  assert.equal((await client.ship(call)).kind, 'shipped');
  const { kind, retryAfterMs } = { retryAfterMs: 0, ...(await client.ship(call)) };
  assert.deepEqual({ kind, retryAfterMs }, { kind: 'not_booked', retryAfterMs: 9_000 });
  assert.equal((await client.lookUp(call)).kind, 'not_found');
});

test('an answer that grows without bound when unpacked, or by its own, is cut', async (t) => {
  const provider = await scriptedProvider(t);
  const client = clientOf(t, provider.url);
  provider.post = async () => ({ status: 404, body: 'x'.repeat(5_000_000) });
  assert.equal((await client.ship(call)).kind, 'misconfigured');
  const bomb = gzipSync(Buffer.alloc(50_000_000)).subarray(0, 200_000);
  const server = createServer((_request, response) => {
    response.writeHead(201, { 'content-encoding': 'gzip' }).end(bomb);
  });
  const other = clientOf(t, `http://127.0.0.1:${await listening(t, server)}`);
  assert.equal((await other.ship(call)).kind, 'unknown');
});

test('a provider that offers HTTP/2 is called over HTTP/1.1, each call on its own connection', async (t) => {
  trustLocalhost(t);
  const versions: string[] = [];
  const server = createSecureServer(
    { key, cert: certificate, allowHTTP1: true },
    (request, response) => {
      versions.push(request.httpVersion);
      if (versions.length > 1) response.writeHead(201).end(shipped);
    },
  );
  const port = await listening(t, server as unknown as Server);
  const client = clientOf(t, `https://localhost:${port}`);
  assert.equal((await client.ship(call)).kind, 'unknown', 'the first hangs');
  assert.equal((await client.ship(call)).kind, 'shipped', 'the next has a new connection');
  assert.deepEqual(versions, ['1.1', '1.1']);
});

test('what fails before the handshake is done was not sent; a certificate is misconfiguration', async (t) => {
  const secure = createSecureServer(
    { key, cert: certificate, allowHTTP1: true },
    (_request, response) => response.writeHead(201).end(shipped),
  );
  const untrusted = await listening(t, secure as unknown as Server);
  const silent = await listening(t, createTcpServer() as unknown as Server);
  const plain = await listening(t, createServer());
  const closing = createTcpServer((socket) => socket.destroy());
  const closed = await listening(t, closing as unknown as Server);
  const cases = {
    [untrusted]: 'misconfigured',
    [silent]: 'not_sent',
    [plain]: 'not_sent',
    [closed]: 'not_sent',
  };
  for (const [port, kind] of Object.entries(cases)) {
    const client = clientOf(t, `https://localhost:${port}`);
    const outcome = await client.ship(call);
    assert.equal(outcome.kind, kind, JSON.stringify(outcome));
    assert.equal((await client.lookUp(call)).kind, 'no_answer');
  }
});

test('a call that is given up while it waits for a connection never leaves', async (t) => {
  const provider = await scriptedProvider(t);
  provider.post = async () => 'hang';
  const client = clientOf(t, provider.url, { connections: 1, timeoutMs: 300 });
  const kinds = (await Promise.all([client.ship(call), client.ship(call)])).map(({ kind }) => kind);
  assert.deepEqual(kinds, ['unknown', 'not_sent']);
  assert.equal((await client.lookUp(call)).kind, 'not_found', 'the connection is free again');
  assert.equal(provider.posts().length, 1);
});

test('the path of the address and the credentials go with both calls', async (t) => {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.writeHead(201).end(shipped);
  });
  const baseUrl = `http://127.0.0.1:${await listening(t, server)}/carrier/v2/`;
  const client = clientOf(t, baseUrl, { authorization: 'Bearer abc' });
  await client.ship(call);
  await client.lookUp(call);
  assert.deepEqual(asked, [
    'POST /carrier/v2/api/shipments Bearer abc',
    'GET /carrier/v2/api/shipments/order-1 Bearer abc',
  ]);
});

test('a provider over TLS is reached through HTTPS_PROXY, but for the hosts of NO_PROXY', async (t) => {
  trustLocalhost(t);
  const server = createSecureServer(
    { key, cert: certificate, allowHTTP1: true },
    (_request, response) => response.writeHead(201).end(shipped),
  );
  const port = await listening(t, server as unknown as Server);
  const tunnels: string[] = [];
  const proxy = createServer();
  proxy.on('connect', (request, client, head) => {
    tunnels.push(String(request.url));
    const upstream = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
  });
  const proxyPort = await listening(t, proxy);
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env.HTTPS_PROXY = `http://127.0.0.1:${proxyPort}`;
  assert.equal((await clientOf(t, `https://localhost:${port}`).ship(call)).kind, 'shipped');
  assert.deepEqual(tunnels, [`localhost:${port}`]);
  process.env.NO_PROXY = 'localhost';
  assert.equal((await clientOf(t, `https://localhost:${port}`).ship(call)).kind, 'shipped');
  assert.equal(tunnels.length, 1);
});
