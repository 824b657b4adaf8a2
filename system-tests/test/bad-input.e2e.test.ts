import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text as textOf } from 'node:stream/consumers';
import { test } from 'node:test';
import { type Answer, call, type Problem } from '@orders/lab/kit/http';
import { anOrder, place, post, readOrder, readOrders, untilOrder } from '@orders/lab/kit/orders';
import { startSystem } from '@orders/lab/kit/started-system';
import { badBodies } from './bad-bodies.ts';

const system = await startSystem();
const { url } = system;
const json = { 'content-type': 'application/json' };

function assertProblem(
  answer: Answer<Omit<Problem, 'status'> & { status: unknown }>,
  status: number,
  code: string,
  said: string,
): void {
  assert.deepEqual(
    [answer.status, answer.body?.code],
    [status, code],
    `${said}: ${answer.status} ${answer.text.slice(0, 500)}`,
  );
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/, said);
  const { type, title, detail, requestId } = answer.body;
  assert.equal(answer.body.status, status, said);
  for (const text of [type, title, detail, requestId])
    assert.ok(typeof text === 'string' && text !== '', `${said}: ${answer.text}`);
}

test('Every bad body is refused with a problem that points at every fault at once, and makes no order', async () => {
  for (const { name, body, code, pointers } of badBodies) {
    const answer = await call('POST', `${url}/api/orders`, { body, headers: json });
    assertProblem(answer, 400, code, name);
    const named = new Set((answer.body.errors ?? []).map(({ pointer }) => String(pointer)));
    if (pointers !== undefined)
      assert.deepEqual(
        [...named].toSorted(),
        pointers.toSorted(),
        `${name}: ${answer.text.slice(0, 500)}`,
      );
    for (const { detail } of answer.body.errors ?? []) assert.ok(detail, name);
  }
  assert.deepEqual(await readOrders(url), []);
});

test('Of hundreds of thousands of faults 100 are told, quickly', async () => {
  const items = Array(1_000).fill({ a: 1, b: 2, c: 3, d: 4 });
  for (const body of [
    { items },
    { items: Array(200_000).fill(0) },
    Object.fromEntries(
      Array(50_000)
        .fill(0)
        .map((_, n) => [`p${n}`, 0]),
    ),
  ]) {
    const answer = await call('POST', `${url}/api/orders`, { json: body });
    assertProblem(answer, 400, 'validation_failed', 'junk');
    assert.ok((answer.body.errors?.length ?? 0) <= 100, `${answer.body.errors?.length} faults`);
    assert.ok(answer.ms < 2_000, `${answer.ms} ms`);
  }
});

test('A body above 1 MiB is 413, one just below it is read', async () => {
  const large = await call('POST', `${url}/api/orders`, {
    body: Buffer.alloc(1024 * 1024 + 1, 0x20),
    headers: json,
  });
  assertProblem(large, 413, 'body_too_large', '1 MiB and a byte');
  const padded = JSON.stringify(anOrder()).padEnd(1024 * 1024, ' ');
  assert.equal(
    (await call('POST', `${url}/api/orders`, { body: padded, headers: json })).status,
    201,
  );
});

test('Anything but application/json is 415; a charset and any letter case are welcome', async () => {
  const body = JSON.stringify(anOrder());
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'application/xml',
    'nonsense',
    undefined,
  ]) {
    const headers: Record<string, string> = type === undefined ? {} : { 'content-type': type };
    const answer = await call('POST', `${url}/api/orders`, { body, headers });
    assertProblem(answer, 415, 'unsupported_media_type', String(type));
  }
  for (const type of ['application/json; charset=utf-8', 'Application/JSON']) {
    assert.equal(
      (await call('POST', `${url}/api/orders`, { body, headers: { 'content-type': type } })).status,
      201,
      type,
    );
  }
});

test('A method that a path does not have is 405 with Allow, a path that is not there is 404', async () => {
  const paths = {
    '/api/orders': /GET.*POST|POST.*GET/,
    '/api/orders/0190c8a0-0000-7000-8000-000000000000': /GET/,
    '/health/live': /GET/,
  };
  for (const [path, allowed] of Object.entries(paths)) {
    for (const method of ['PUT', 'DELETE', 'PATCH']) {
      const answer = await call(method, `${url}${path}`);
      assertProblem(answer, 405, 'method_not_allowed', `${method} ${path}`);
      assert.match(String(answer.headers.allow), allowed);
    }
  }
  for (const path of [
    '/api',
    '/api/order',
    '/api/orders/x/y/z',
    '/api/orders//',
    '/%2e%2e/etc/passwd',
  ]) {
    const { status } = await call('GET', `${url}${path}`);
    assert.ok(status === 404 || status === 400, `${path}: ${status}`);
  }
  const malformed = await call('GET', `${url}/api/orders/%E0%A4%A`);
  assert.equal(malformed.status, 400, malformed.text);
});

test('An Idempotency-Key that is empty, too long or not printable ASCII is refused by name', async () => {
  for (const key of ['', 'k'.repeat(256), 'kéy', 'a\tb']) {
    const answer = await post(url, anOrder(), { 'idempotency-key': key });
    assertProblem(answer, 400, 'validation_failed', JSON.stringify(key));
    assert.deepEqual(
      answer.body.errors?.map(({ parameter }) => parameter?.toLowerCase()),
      ['idempotency-key'],
      answer.text,
    );
  }
  assert.equal(
    (await post(url, anOrder(), { 'idempotency-key': `~ ${'k'.repeat(252)}!` })).status,
    201,
  );
});

test('Faults of the body and of a header are told together', async () => {
  const answer = await post(
    url,
    { ...anOrder(), customerId: '' },
    { 'idempotency-key': 'k'.repeat(256) },
  );
  assertProblem(answer, 400, 'validation_failed', 'both');
  const named = answer.body.errors
    ?.map(({ pointer, parameter }) => pointer ?? parameter?.toLowerCase())
    .toSorted();
  assert.deepEqual(named, ['/customerId', 'idempotency-key'], answer.text);
});

test('An X-Correlation-Id that breaks the rules is ignored, not refused', async () => {
  for (const id of ['', 'x'.repeat(129), 'é'])
    assert.equal((await post(url, anOrder(), { 'x-correlation-id': id })).status, 201, id);
});

test('What is no HTTP at all is answered 400 or cut off, and disturbs nobody', async () => {
  const requests = [
    'GET\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
    `POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: abc\r\n\r\n{}`,
    `POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `GET /api/orders HTTP/1.1\r\nHost: x\r\nX-Long: ${'a'.repeat(100_000)}\r\n\r\n`,
  ];
  for (const request of requests) {
    const socket = connect(system.ports[0] ?? 0, '127.0.0.1').setTimeout(10_000, () =>
      socket.destroy(),
    );
    socket.write(request, 'latin1');
    const answer = await textOf(socket).catch((error: NodeJS.ErrnoException) => String(error.code));
    assert.match(
      answer,
      /^(HTTP\/1\.1 4\d\d |ECONNRESET|EPIPE)/,
      JSON.stringify(request.slice(0, 60)),
    );
  }
  await untilOrder(url, await place(url, anOrder()), 'Shipped');
});

test('A client that hangs up in the middle of its body leaves nothing behind', async () => {
  const body = JSON.stringify(anOrder({ customerId: 'hung-up' }));
  const head = `POST /api/orders HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
  const socket = connect(system.ports[0] ?? 0, '127.0.0.1');
  await new Promise<void>((resolve) => socket.write(head + body.slice(0, -1), () => resolve()));
  socket.destroy();
  const orderId = await place(url, anOrder({ customerId: 'hung-up' }));
  assert.deepEqual(
    (await readOrders(url, { customerId: 'hung-up' })).map((order) => order.orderId),
    [orderId],
  );
  assert.equal((await readOrder(url, orderId)).customerId, 'hung-up');
});
