import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCallLimit } from '../../src/ship/call-limit.ts';

test('"too many" halves the limit, once for all calls of a round', () => {
  const limit = createCallLimit(64);
  limit.tooMany(1_000, 1_100);
  for (let begunAt = 900; begunAt <= 1_100; begunAt += 10) limit.tooMany(begunAt, 1_150);
  assert.equal(limit.at(1_150), 32);
  limit.tooMany(1_101, 1_200);
  assert.equal(limit.at(1_200), 16);
});

test('it is never below one', () => {
  const limit = createCallLimit(5);
  for (let now = 0; now < 10; now += 1) limit.tooMany(now, now + 0.5);
  assert.equal(limit.at(10), 1);
});

test('each second raises it by one, up to what is configured', () => {
  const limit = createCallLimit(8);
  limit.tooMany(0, 500);
  assert.equal(limit.at(1_499), 4);
  assert.equal(limit.at(1_500), 5);
  assert.equal(limit.at(2_400), 5, 'the rest of a second is kept');
  assert.equal(limit.at(2_500), 6);
  assert.equal(limit.at(60_000), 8);
  limit.tooMany(60_000, 60_000);
  assert.equal(limit.at(60_000), 4, 'time at the top is not saved up');
});
