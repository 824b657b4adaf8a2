import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { addAccess } from '../../src/http/access.ts';
import { newApiKey, readApiKeys, writeApiKeys } from '../../src/http/api-keys.ts';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { until } from '../kit/until.ts';
import { ask, keyedServer, keyFile, log } from './keyed-server.ts';

test('without a file of keys everybody may call everything', async (t) => {
  const url = await keyedServer(t, {});
  assert.deepEqual((await ask(url, '/things')).body, { caller: '' });
  assert.equal((await ask(url, '/metrics')).status, 200);
});

test('a caller without a valid key is answered 401 before its body is read, and one without the scope 403', async (t) => {
  const { path, made, bearer } = await keyFile('scopes', ['orders:read'], ['operate']);
  const url = await keyedServer(t, { API_KEYS_FILE: path });
  const wrong = [
    {},
    { authorization: 'Bearer' },
    { authorization: 'Basic eDp5' },
    { authorization: `Bearer opk_000000000000_${'x'.repeat(43)}` },
    { authorization: `Bearer ${made[0]?.key.slice(0, -1)}` },
    { authorization: `Bearer opk_${made[0]?.entry.id}_${made[1]?.key.slice(17)}` },
  ];
  for (const headers of wrong) {
    const answer = await ask(url, '/things', {
      method: 'POST',
      headers: { ...headers, 'content-type': 'application/json' },
      body: '{',
    });
    assert.equal(answer.status, 401);
    assert.equal(answer.body.code, 'unauthenticated');
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    assert.match(answer.headers.get('content-type') ?? '', /problem\+json/);
  }
  const [reader = { authorization: '' }, operator = { authorization: '' }] = bearer;
  assert.deepEqual((await ask(url, '/things', { headers: reader })).body, {
    caller: made[0]?.entry.id,
  });
  const forbidden = await ask(url, '/things', {
    method: 'POST',
    headers: { ...reader, 'content-type': 'application/json' },
    body: '{}',
  });
  assert.deepEqual([forbidden.status, forbidden.body.code], [403, 'forbidden']);
  assert.match(forbidden.body.detail, /orders:write/);
  assert.equal((await ask(url, '/metrics', { headers: reader })).status, 403);
  assert.equal((await ask(url, '/metrics', { headers: operator })).status, 200);
  for (const open of [
    '/health/live',
    '/health/ready',
    '/openapi.json',
    '/asyncapi.json',
    '/docs/',
  ]) {
    assert.equal((await ask(url, open)).status, 200, open);
  }
  assert.equal((await ask(url, '/nothing')).status, 404);
  assert.equal((await ask(url, '/things', { method: 'PUT' })).status, 405);
  const { paths } = (await ask(url, '/openapi.json')).body;
  assert.deepEqual(paths['/things'].post.security, [{ apiKey: ['orders:write'] }]);
});

test('a key that is revoked, or made, takes effect without a restart, and a broken file changes nothing', async (t) => {
  const { path, bearer } = await keyFile('changing', ['orders:read']);
  const url = await keyedServer(t, { API_KEYS_FILE: path });
  const statusOf = async (headers: Record<string, string> = {}) =>
    (await ask(url, '/things', { headers })).status;
  const [first] = bearer;
  assert.equal(await statusOf(first), 200);
  const { key, entry } = newApiKey('second', ['orders:read']);
  await writeApiKeys(path, [...readApiKeys(path), entry]);
  const second = { authorization: `Bearer ${key}` };
  await until('the second key is taken', async () => (await statusOf(second)) === 200, 5_000);
  writeFileSync(path, 'no keys');
  const third = newApiKey('third', ['orders:read']);
  assert.equal(await statusOf(second), 200);
  await writeApiKeys(path, [entry, third.entry]);
  await until(
    'the third key is taken',
    async () => (await statusOf({ authorization: `Bearer ${third.key}` })) === 200,
    5_000,
  );
  assert.deepEqual([await statusOf(first), await statusOf(second)], [401, 200]);
  await writeApiKeys(path, [{ ...entry, revokedAt: new Date().toISOString() }]);
  await until('the second key is refused', async () => (await statusOf(second)) === 401, 5_000);
});

test('a key is taken from the header Authorization only, and HEAD and a wrong key are no way around it', async (t) => {
  const { path, made } = await keyFile('places', ['orders:read']);
  const url = await keyedServer(t, { API_KEYS_FILE: path });
  const key = made[0]?.key ?? '';
  const statusOf = async (at: string, init: RequestInit = {}) => (await ask(url, at, init)).status;
  for (const name of ['api_key', 'apikey', 'key', 'token', 'access_token', 'authorization']) {
    assert.equal(await statusOf(`/things?${name}=${key}`), 401, name);
  }
  for (const name of ['x-api-key', 'cookie', 'proxy-authorization', 'x-authorization']) {
    assert.equal(await statusOf('/things', { headers: { [name]: `Bearer ${key}` } }), 401, name);
  }
  for (const authorization of [`bearer ${key}`, `BEARER  ${key}`]) {
    assert.equal(await statusOf('/things', { headers: { authorization } }), 200, authorization);
  }
  for (const authorization of [
    key,
    `Bearer ${key},Bearer ${key}`,
    `Bearer ${key.toUpperCase()}`,
    `Bearer ${key} x`,
  ]) {
    assert.equal(await statusOf('/things', { headers: { authorization } }), 401, authorization);
  }
  for (const at of ['/things', '/metrics'])
    assert.equal(await statusOf(at, { method: 'HEAD' }), 401, at);
  const headers = { authorization: `Bearer ${key}` };
  assert.deepEqual([await statusOf('/things', { method: 'HEAD', headers })], [200]);
  assert.equal(await statusOf('/metrics', { method: 'HEAD', headers }), 403);
});

test('what is changed in the name of an operator is told with the key that did it', async (t) => {
  const { path, made, bearer } = await keyFile('operators', ['operate'], ['orders:read']);
  const lines: string[] = [];
  const telling = {
    ...log,
    info: (fields: object) => lines.push(JSON.stringify(fields)),
  } as unknown as typeof log;
  const app = createHttpServer({ log });
  t.after(() => app.close());
  await addAccess(app, { config: { PROFILE: 'local', API_KEYS_FILE: path }, log: telling });
  app.put('/breaker', { config: { scope: 'operate' } }, async () => ({}));
  app.get('/breaker', { config: { scope: 'operate' } }, async () => ({}));
  await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
  const [operator, reader] = bearer;
  for (const method of ['PUT', 'GET', 'HEAD']) {
    await ask(app.listeningOrigin, '/breaker', {
      method,
      headers: { ...operator, 'x-operator': 'mallory' },
    });
    await ask(app.listeningOrigin, '/breaker', { method, headers: { ...reader } });
  }
  await until('it is told', () => lines.length > 0);
  const told = {
    part: 'access',
    key: made[0]?.entry.id,
    operator: 'mallory',
    route: 'PUT /breaker',
    status: 200,
  };
  assert.deepEqual(lines, [JSON.stringify(told)]);
});

for (const [HOST, told] of [
  ['127.0.0.1', 0],
  ['0.0.0.0', 1],
] as const) {
  test(`without keys on ${HOST} there ${told === 1 ? 'is one warning' : 'is no warning'}`, async (t) => {
    const warnings: string[] = [];
    const warning = {
      ...log,
      warn: (_: object, text: string) => warnings.push(text),
    } as unknown as typeof log;
    const app = createHttpServer({ log });
    t.after(() => app.close());
    await addAccess(app, { config: { PROFILE: 'local', HOST }, log: warning });
    assert.equal(warnings.filter((text) => text.startsWith('NO API KEYS')).length, told);
  });
}

test('a route that does not say its scope stops the start where keys are asked for', async (t) => {
  const { path } = await keyFile('closed', ['operate']);
  const app = createHttpServer({ log });
  t.after(() => app.close());
  await addAccess(app, { config: { PROFILE: 'local', API_KEYS_FILE: path }, log });
  assert.throws(
    () => app.get('/forgotten', async () => ({})),
    /GET \/forgotten does not say which scope/,
  );
});

test('answers carry security headers, and the page of the API a policy that lets it work', async (t) => {
  const url = await keyedServer(t, {});
  const { headers } = await ask(url, '/things');
  assert.match(headers.get('content-security-policy') ?? '', /default-src 'none'/);
  assert.equal(headers.get('x-content-type-options'), 'nosniff');
  const page = await ask(url, '/');
  assert.match(page.body, /<title>Things<\/title>/);
  assert.match(page.body, /<meta name="viewport"/);
  assert.match(page.headers.get('content-security-policy') ?? '', /script-src 'self'/);
});

test('pages of other origins may call the API only where their origin is configured', async (t) => {
  const from = (origin: string) => ({
    headers: { origin, 'access-control-request-method': 'POST' },
    method: 'OPTIONS',
  });
  const closed = await keyedServer(t, {});
  assert.equal(
    (await ask(closed, '/things', from('https://shop.example'))).headers.get(
      'access-control-allow-origin',
    ),
    null,
  );
  const { path } = await keyFile('cors', ['orders:write']);
  const open = await keyedServer(t, {
    API_KEYS_FILE: path,
    CORS_ORIGINS: 'https://shop.example,https://b.example',
  });
  const preflight = await ask(open, '/things', from('https://shop.example'));
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers.get('access-control-allow-origin'), 'https://shop.example');
  assert.match(preflight.headers.get('access-control-allow-headers') ?? '', /idempotency-key/);
  const stranger = await ask(open, '/things', from('https://evil.example'));
  assert.equal(stranger.headers.get('access-control-allow-origin'), null);
});
