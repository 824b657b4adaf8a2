import assert from 'node:assert/strict';
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readApiKeys, writeApiKeys } from '../../src/http/api-keys.ts';
import { ask, directory, keyedServer, keyFile } from './keyed-server.ts';

test('a file of keys holds no key, and only its owner may read it', async () => {
  const { path, made } = await keyFile('kept', ['operate']);
  const [entry] = readApiKeys(path);
  assert.ok(!JSON.stringify(entry).includes(made[0]?.key.split('_')[2] ?? ''));
  assert.equal(statSync(path).mode & 0o777, 0o600);
});

test('a file of keys that is written again can be read by whoever could read it before', async () => {
  const { path } = await keyFile('shared', ['operate']);
  chmodSync(path, 0o640);
  await writeApiKeys(path, readApiKeys(path));
  assert.equal(statSync(path).mode & 0o777, 0o640);
});

test('a file that is no file of keys stops the start and is named', async (t) => {
  const path = join(directory, 'junk');
  await assert.rejects(
    keyedServer(t, { API_KEYS_FILE: path }),
    /API_KEYS_FILE .*junk cannot be read/,
  );
  writeFileSync(path, '[{"id":"x"}]');
  await assert.rejects(
    keyedServer(t, { API_KEYS_FILE: path }),
    /API_KEYS_FILE .*junk is no file of keys: \/0\//,
  );
});

test('dev makes a key of its own where the file of keys is missing, prod does not', async (t) => {
  const path = join(directory, 'generated');
  await assert.rejects(keyedServer(t, { PROFILE: 'prod', API_KEYS_FILE: path }), /cannot be read/);
  const url = await keyedServer(t, { PROFILE: 'dev', API_KEYS_FILE: path });
  const headers = { authorization: `Bearer ${readFileSync(`${path}.key`, 'utf8').trim()}` };
  assert.equal((await ask(url, '/metrics', { headers })).status, 200);
  assert.equal((await ask(url, '/metrics')).status, 401);
});
