import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { type TestContext, test } from 'node:test';
import Type from 'typebox';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { createLog } from '../../src/process/log.ts';
import { within } from '../kit/until.ts';

const log = createLog({ level: 'silent', isTerminal: false });
const Body = Type.Object({ name: Type.String({ minLength: 2 }) }, { additionalProperties: false });
const Query = Type.Object(
  { limit: Type.Integer({ minimum: 1, maximum: 9, default: 5 }) },
  { additionalProperties: false },
);

async function server(t: TestContext): Promise<{ url: string; port: number }> {
  const app = createHttpServer({ log });
  app.post('/things', { schema: { body: Body }, handler: async ({ body }) => body });
  app.get('/things', { schema: { querystring: Query }, handler: async ({ query }) => query });
  app.get('/things/:id', async () => {
    throw new Error('secret: the driver said postgres://user:password@host');
  });
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  t.after(() => app.close());
  const { port } = new URL(app.listeningOrigin);
  return { url: app.listeningOrigin, port: Number(port) };
}

const json = { 'content-type': 'application/json' };
type Ask = {
  method?: string;
  path?: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
};

async function ask(url: string, { method = 'POST', path = '/things', headers = json, body }: Ask) {
  const init = body === undefined ? {} : { body: body as string };
  const response = await fetch(url + path, {
    method,
    headers,
    ...init,
    signal: AbortSignal.timeout(10_000),
  });
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: text === '' ? {} : JSON.parse(text),
  };
}

const refused: [string, Ask, number, string][] = [
  ['JSON that does not parse', { body: '{"name":' }, 400, 'invalid_json'],
  ['an empty JSON body', { body: '' }, 400, 'invalid_json'],
  ['no body at all', { headers: {} }, 400, 'validation_failed'],
  ['invalid UTF-8', { body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) }, 400, 'invalid_json'],
  ['a body that fails the schema', { body: '{"name":"x"}' }, 400, 'validation_failed'],
  ['a __proto__ property', { body: '{"name":"xx","__proto__":{"a":1}}' }, 400, 'validation_failed'],
  [
    'a constructor property',
    { body: '{"name":"xx","constructor":{"prototype":1}}' },
    400,
    'validation_failed',
  ],
  ['an unknown query parameter', { method: 'GET', path: '/things?x=1' }, 400, 'validation_failed'],
  [
    'a __proto__ query parameter',
    { method: 'GET', path: '/things?__proto__=1' },
    400,
    'validation_failed',
  ],
  [
    'a repeated query parameter',
    { method: 'GET', path: '/things?limit=1&limit=2' },
    400,
    'validation_failed',
  ],
  ['a path that is no URL', { method: 'GET', path: '/things/%zz' }, 400, 'bad_request'],
  ['an unknown path', { method: 'GET', path: '/nothing' }, 404, 'route_not_found'],
  ['a body above 1 MiB', { body: `{"name":"${'x'.repeat(1024 * 1024)}"}` }, 413, 'body_too_large'],
  [
    'another media type',
    { headers: { 'content-type': 'text/plain' }, body: 'name' },
    415,
    'unsupported_media_type',
  ],
  [
    'a packed body',
    { headers: { ...json, 'content-encoding': 'gzip' }, body: '{"name":"xx"}' },
    415,
    'unsupported_media_type',
  ],
  [
    'a rare method on an unknown path',
    { method: 'QUERY', path: '/nothing' },
    404,
    'route_not_found',
  ],
  ['an error of the code', { method: 'GET', path: '/things/1' }, 503, 'internal_error'],
];

for (const [name, request, status, code] of refused) {
  test(`${name} is answered ${status} ${code} as a problem document`, async (t) => {
    const { url } = await server(t);
    const answer = await ask(url, request);
    assert.equal(answer.status, status, answer.text);
    assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
    assert.equal(answer.body.code, code);
    assert.equal(answer.body.status, status);
    assert.equal(answer.body.type, `urn:problem:${code}`);
    assert.equal(typeof answer.body.requestId, 'string');
    assert.doesNotMatch(answer.text, /secret|postgres|node_modules|at file:/);
    if (status === 503) assert.equal(answer.headers.get('retry-after'), '1');
  });
}

test('a method that a path lacks is answered 405 with Allow, whatever its body', async (t) => {
  const { url } = await server(t);
  const bodies: Ask[] = [
    { headers: {} },
    { body: '{"name":"xx"}' },
    { headers: { 'content-type': 'text/plain' }, body: 'x' },
    { body: '{' },
  ];
  for (const method of ['PUT', 'PATCH', 'DELETE', 'QUERY', 'PROPFIND', 'M-SEARCH', 'PURGE']) {
    for (const request of bodies) {
      const answer = await ask(url, { method, ...request });
      assert.equal(answer.status, 405, `${method} ${JSON.stringify(request)}: ${answer.text}`);
      assert.equal(answer.body.code, 'method_not_allowed');
      assert.deepEqual((answer.headers.get('allow') ?? '').split(', ').sort(), [
        'GET',
        'HEAD',
        'POST',
      ]);
    }
  }
});

test('faults of a body have pointers, those of a query parameters, and query strings become numbers', async (t) => {
  const { url } = await server(t);
  const body = await ask(url, { body: '{"name":"x","more":1}' });
  assert.deepEqual(
    new Set(body.body.errors.map((e: { pointer: string }) => e.pointer)),
    new Set(['/name', '/more']),
  );
  const query = await ask(url, { method: 'GET', path: '/things?limit=99' });
  assert.equal(query.body.errors[0].parameter, 'limit');
  assert.deepEqual((await ask(url, { method: 'GET', path: '/things?limit=7' })).body, { limit: 7 });
  assert.deepEqual((await ask(url, { method: 'GET', path: '/things' })).body, { limit: 5 });
});

test('a number is never made of text in a body', async (t) => {
  const { url } = await server(t);
  assert.equal((await ask(url, { body: '{"name":42}' })).status, 400);
});

test('a packed body is refused with the name of its encoding and the one that is taken', async (t) => {
  const { url } = await server(t);
  const headers = { ...json, 'content-encoding': 'br' };
  const answer = await ask(url, { headers, body: '{"name":"xx"}' });
  assert.match(answer.body.detail, /Content-Encoding: br/);
  assert.equal(answer.headers.get('accept-encoding'), 'identity');
  headers['content-encoding'] = 'identity';
  assert.equal((await ask(url, { headers, body: '{"name":"xx"}' })).status, 200);
});

test('a byte order mark in front of a body is no part of it', async (t) => {
  const { url } = await server(t);
  assert.deepEqual((await ask(url, { body: '\ufeff{"name":"xx"}' })).body, { name: 'xx' });
});

const raw: [string, string, number, string][] = [
  ['CONNECT', 'CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'method_not_allowed'],
  ['a malformed request line', 'NONSENSE\r\n\r\n', 400, 'bad_request'],
  ['a malformed header', 'GET /things HTTP/1.1\r\nHost: x\r\nbro ken\r\n\r\n', 400, 'bad_request'],
  [
    'headers above 16 KiB',
    `GET /things HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    431,
    'headers_too_large',
  ],
  [
    'two lengths',
    'POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx',
    400,
    'bad_request',
  ],
];

for (const [name, bytes, status, code] of raw) {
  test(`${name} is answered ${status} as a problem document`, async (t) => {
    const { port } = await server(t);
    const answer = await within('an answer', exchange(port, bytes));
    const [head = '', body = ''] = answer.split('\r\n\r\n');
    assert.match(head, new RegExp(`^HTTP/1.1 ${status} `));
    assert.match(head, /content-type: application\/problem\+json/i);
    assert.equal(JSON.parse(body).code, code);
  });
}

function exchange(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes));
    socket.setEncoding('utf8');
    socket.on('data', (chunk) => {
      answer += chunk;
    });
    socket.on('end', () => resolve(answer));
    socket.on('error', reject);
  });
}

test('a port in use is told with the variable that changes it', async (t) => {
  const { port } = await server(t);
  const other = createHttpServer({ log });
  t.after(() => other.close());
  await assert.rejects(
    listen(other, { host: '127.0.0.1', port, portVariable: 'SOME_PORT' }),
    /in use.*SOME_PORT/,
  );
});
