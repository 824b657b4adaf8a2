import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { startTcpProxy } from '../../src/kit/tcp-proxy.ts';
import { elapse, until } from '../../src/kit/until.ts';

/** A server that sends everything back, behind a proxy. */
async function proxiedEcho(t: TestContext) {
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => sockets.delete(socket)).on('close', () => sockets.delete(socket));
    socket.pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const proxy = await startTcpProxy({ targetPort: (server.address() as AddressInfo).port });
  t.after(async () => {
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { proxy, server, sockets };
}

async function connected(t: TestContext, port: number) {
  const socket = connect(port, '127.0.0.1');
  t.after(() => socket.destroy());
  const client = { socket, text: '', error: '', isEnded: false };
  socket.setEncoding('utf8').on('data', (text: string) => {
    client.text += text;
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    client.error = error.code ?? error.message;
  });
  socket.on('end', () => {
    client.isEnded = true;
  });
  await once(socket, 'connect');
  return client;
}

test('It carries bytes both ways and in order, megabytes too, and the end of them', async (t) => {
  const { proxy } = await proxiedEcho(t);
  const client = await connected(t, proxy.port);
  const sent = Array.from({ length: 400_000 }, (_, n) => `${n} `).join('');
  client.socket.end(sent);
  await until('the echo to end', 10, () => client.isEnded);
  assert.equal(client.text, sent);
  await until('the connection to be forgotten', 5, () => proxy.connections === 0);
});

test('A slow network delays each byte in each direction and keeps the order when it becomes fast again', async (t) => {
  const { proxy } = await proxiedEcho(t);
  const client = await connected(t, proxy.port);
  proxy.slow(100);
  const begun = performance.now();
  client.socket.write('one ');
  await until('the first echo', 5, () => client.text === 'one ', 5);
  assert.ok(performance.now() - begun >= 195, `${performance.now() - begun} ms`);
  client.socket.write('two ');
  await elapse(30);
  proxy.slow(0);
  client.socket.write('three');
  await until('both', 5, () => client.text === 'one two three', 5);
});

test('A network that holds everything keeps connections open, and what was sent arrives late', async (t) => {
  const { proxy } = await proxiedEcho(t);
  const client = await connected(t, proxy.port);
  proxy.hold();
  client.socket.write('held');
  const second = await connected(t, proxy.port);
  second.socket.write('also');
  await elapse(150);
  assert.equal(client.text + second.text, '');
  proxy.release();
  await until('the echoes', 5, () => client.text === 'held' && second.text === 'also');
});

test('A cut resets connections at both ends, loses what was on its way, and the next connection works', async (t) => {
  const { proxy, sockets } = await proxiedEcho(t);
  const clients = [await connected(t, proxy.port), await connected(t, proxy.port)];
  await until('both to be joined', 5, () => sockets.size === 2);
  proxy.hold();
  for (const { socket } of clients) socket.write('lost');
  await elapse(50);
  assert.equal(proxy.cut(0.5), 1);
  assert.equal(proxy.cut(), 1);
  proxy.release();
  await until(
    'resets',
    5,
    () => clients.every(({ error }) => error === 'ECONNRESET') && sockets.size === 0,
  );
  assert.equal(clients.map(({ text }) => text).join(''), '');
  const next = await connected(t, proxy.port);
  next.socket.write('again');
  await until('the echo', 5, () => next.text === 'again');
});

// A socket that is reset while its end is being sent would stay open for ever, and its process
// could not end.
test('A connection that is cut while its end is on its way leaves no socket behind', async (t) => {
  const { proxy, sockets } = await proxiedEcho(t);
  const client = await connected(t, proxy.port);
  await until('them to be joined', 5, () => sockets.size === 1);
  proxy.hold();
  client.socket.end('last words');
  await elapse(50);
  proxy.release();
  await new Promise((resolve) => process.nextTick(resolve));
  assert.equal(proxy.cut(), 1);
  await until(
    'all sockets to be gone',
    5,
    () => !process.getActiveResourcesInfo().includes('TCPSocketWrap'),
  );
});

test('Where nobody listens behind it, a connection is reset', async (t) => {
  const { proxy, server } = await proxiedEcho(t);
  server.close();
  await once(server, 'close');
  const client = await connected(t, proxy.port);
  await until('the reset', 5, () => client.error === 'ECONNRESET' || client.isEnded);
});
