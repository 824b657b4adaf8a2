import assert from 'node:assert/strict';
import { test } from 'node:test';
import { retryWhileUnavailable } from '../../src/postgres/wait-for-database.ts';
import { ConfigError } from '../../src/process/config.ts';
import { createLog } from '../../src/process/log.ts';

const where = { log: createLog({ level: 'silent', isTerminal: false }), schema: 'things' };
const refused = () => Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });

test('work is carried out again while the database is away', async () => {
  let times = 0;
  const result = await retryWhileUnavailable(where, async () => {
    times += 1;
    if (times < 3) throw refused();
    return 'done';
  });
  assert.deepEqual([result, times], ['done', 3]);
});

test('a fault of the set-up or of the code is told at once', async () => {
  for (const error of [
    new ConfigError(['x']),
    new TypeError('x'),
    Object.assign(new Error('x'), { code: '42P01' }),
  ]) {
    let times = 0;
    const work = async () => {
      times += 1;
      throw error;
    };
    await assert.rejects(retryWhileUnavailable(where, work), error);
    assert.equal(times, 1);
  }
});

test('a process that is told to end does not wait for the database', async () => {
  const stopping = new AbortController();
  const waiting = retryWhileUnavailable({ ...where, signal: stopping.signal }, async () => {
    stopping.abort();
    throw refused();
  });
  await assert.rejects(waiting, { name: 'AbortError' });
});
