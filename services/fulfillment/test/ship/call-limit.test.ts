import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCallLimit } from '../../src/ship/call-limit.ts';

const pauseMaxMs = 60_000;
const aLimit = (max: number) => createCallLimit(max, { pauseMaxMs, random: () => 1 });

test('"too many" pauses every call for as long as the provider asks, once for a round', () => {
  const limit = aLimit(64);
  limit.tooMany(1_000, 1_100, 5_000);
  for (let begunAt = 900; begunAt <= 1_100; begunAt += 10) limit.tooMany(begunAt, 1_150, 50_000);
  assert.equal(limit.at(1_100), 0);
  assert.equal(limit.pausedMs(2_100), 4_000);
  assert.equal(limit.at(6_099), 0);
  assert.equal(limit.at(6_100), 1, 'one probe');
  assert.equal(limit.at(60_000), 1, 'until it is answered');
});

test('a pause is never longer than the longest, whatever the provider asks', () => {
  const limit = aLimit(64);
  limit.tooMany(0, 0.5, 3_600_000);
  assert.equal(limit.at(pauseMaxMs), 0);
  assert.equal(limit.at(pauseMaxMs + 1), 1);
});

test('without a time from the provider the pause doubles from probe to probe', () => {
  const limit = aLimit(64);
  let now = 0;
  for (const pauseMs of [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    limit.tooMany(now, now + 1, 0);
    assert.equal(limit.pausedMs(now + 1), pauseMs);
    now += 1 + pauseMs;
  }
  assert.ok(limit.taken(now, now + 10));
  limit.tooMany(now + 20, now + 30, 0);
  assert.equal(limit.pausedMs(now + 30), 1_000, 'what was taken begins anew');
});

test('after the probe the limit doubles each second up to half of what was too many, then rises by one', () => {
  const limit = aLimit(16);
  limit.tooMany(0, 1, 1_000);
  assert.equal(limit.taken(500, 900), false, 'a call of before says nothing');
  assert.ok(limit.taken(1_001, 2_000));
  const seconds = [2_000, 3_000, 4_000, 5_000, 6_000, 7_000];
  assert.deepEqual(seconds.map(limit.at), [1, 2, 4, 8, 9, 10]);
  assert.equal(limit.at(60_000), 16);
  assert.equal(limit.taken(60_000, 60_000), false, 'only the first ends a pause');
});
