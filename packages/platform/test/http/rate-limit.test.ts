import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addAccess } from '../../src/http/access.ts';
import { createHttpServer, listen } from '../../src/http/server.ts';
import { until } from '../kit/until.ts';
import { ask, keyedServer, keyFile, log } from './keyed-server.ts';

test('a caller that no trusted proxy speaks for cannot choose the address that is counted', async (t) => {
  const config = { PROFILE: 'local', RATE_LIMIT_PER_SECOND: 5 };
  const limited = async (trustProxy: string) => {
    const app = createHttpServer({ log, trustProxy });
    t.after(() => app.close());
    await addAccess(app, { config, log });
    app.get('/things', async () => ({}));
    await listen(app, { host: '127.0.0.1', port: 0, portVariable: 'PORT' });
    const answers = Array.from({ length: 20 }, (_, n) =>
      ask(app.listeningOrigin, '/things', { headers: { 'x-forwarded-for': `192.0.2.${n}` } }),
    );
    return (await Promise.all(answers)).filter(({ status }) => status === 429).length;
  };
  assert.ok((await limited('10.0.0.0/8')) >= 10);
  assert.equal(await limited('127.0.0.1'), 0);
});

test('a caller beyond the rate is answered 429 with Retry-After, another one and health are not', async (t) => {
  const { path, bearer } = await keyFile('rate', ['orders:read'], ['orders:read']);
  const url = await keyedServer(t, { API_KEYS_FILE: path, RATE_LIMIT_PER_SECOND: 5 });
  const [busy = { authorization: '' }, other = { authorization: '' }] = bearer;
  const answers = await Promise.all(
    Array.from({ length: 30 }, () => ask(url, '/things', { headers: busy })),
  );
  const limited = answers.filter(({ status }) => status === 429);
  assert.ok(limited.length >= 10, `${limited.length} limited`);
  assert.equal(limited[0]?.body.code, 'rate_limited');
  assert.equal(limited[0]?.headers.get('retry-after'), '1');
  assert.equal((await ask(url, '/things', { headers: other })).status, 200);
  const health = await Promise.all(Array.from({ length: 30 }, () => ask(url, '/health/live')));
  assert.ok(health.every(({ status }) => status === 200));
  await until(
    'the rate is free again',
    async () => (await ask(url, '/things', { headers: busy })).status === 200,
    5_000,
  );
});

test('who guesses keys is limited by address', async (t) => {
  const { path } = await keyFile('guessed', ['orders:read']);
  const url = await keyedServer(t, { API_KEYS_FILE: path, RATE_LIMIT_PER_SECOND: 5 });
  const answers = await Promise.all(Array.from({ length: 30 }, () => ask(url, '/things')));
  assert.deepEqual([...new Set(answers.map(({ status }) => status))].sort(), [401, 429]);
});
