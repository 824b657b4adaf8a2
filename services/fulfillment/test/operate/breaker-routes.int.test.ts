import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startTestPostgres } from '@orders/platform/test/kit/test-postgres';
import { operatorApi } from './operator-instance.ts';

const postgres = await startTestPostgres();
const url = '/api/breakers/shipping';

test('the breaker is automatic until an operator forces it; who, why and when is shown', async (t) => {
  const { ask } = await operatorApi(t, postgres);
  const untouched = {
    name: 'shipping',
    mode: 'automatic',
    changedBy: null,
    changedAt: null,
    reason: null,
    instances: [],
  };
  assert.deepEqual(await ask('GET', url), { status: 200, body: untouched });
  for (const mode of ['forced_open', 'forced_closed', 'automatic']) {
    const { status, body } = await ask('PUT', url, { mode, reason: 'maintenance' });
    assert.equal(status, 200);
    assert.partialDeepStrictEqual(body, { mode, changedBy: 'ann', reason: 'maintenance' });
    assert.ok(Math.abs(Date.parse(body.changedAt) - Date.now()) < 60_000);
    assert.deepEqual((await ask('GET', url)).body, body);
  }
  assert.equal((await ask('PUT', url, { mode: 'automatic' })).body.reason, null);
});

test('each instance of the last minute is shown with its own state', async (t) => {
  const { ask, sql } = await operatorApi(t, postgres);
  await sql(
    `INSERT INTO instances (
       instance, breaker_state, breaker_since, last_error, call_limit, calls, seen_at)
     VALUES
       ('b', 'open', '2026-01-20T21:00:00Z', '503 busy', 64, 0, now()),
       ('a', 'closed', '2026-01-20T21:00:00Z', NULL, 32, 7, now()),
       ('gone', 'open', now(), NULL, 64, 0, now() - interval '2 minutes')`,
  );
  const { instances } = (await ask('GET', url)).body;
  assert.partialDeepStrictEqual(instances, [
    {
      instance: 'a',
      state: 'closed',
      since: '2026-01-20T21:00:00.000Z',
      lastError: null,
      callLimit: 32,
      calls: 7,
    },
    { instance: 'b', state: 'open', lastError: '503 busy' },
  ]);
  assert.equal(instances.length, 2);
  assert.ok(Math.abs(Date.parse(instances[0].seenAt) - Date.now()) < 60_000);
});

test('a change that is not valid or comes from nobody is refused and changes nothing', async (t) => {
  const { ask, sql } = await operatorApi(t, postgres);
  for (const [body, headers, place] of [
    [{ mode: 'open' }, { 'x-operator': 'ann' }, '/mode'],
    [{}, { 'x-operator': 'ann' }, '/mode'],
    [{ mode: 'automatic', until: 'x' }, { 'x-operator': 'ann' }, '/until'],
    [{ mode: 'automatic' }, {}, 'x-operator'],
    [{ mode: 'automatic' }, { 'x-operator': 'Zoë\u0001' }, 'x-operator'],
  ] as const) {
    const answer = await ask('PUT', url, body, headers);
    assert.deepEqual(
      [answer.status, Object.values(answer.body.errors[0])[0]],
      [400, place],
      JSON.stringify(body),
    );
  }
  assert.deepEqual(
    await sql('SELECT 1 FROM breakers UNION ALL SELECT 1 FROM operator_actions'),
    [],
  );
});
