import assert from 'node:assert/strict';
import { test } from 'node:test';
import { momentOf } from '../../src/kafka/stream.ts';

test('a time that cannot be true, in whatever unit, is the time of reading', () => {
  const now = Date.now();
  for (const timestamp of [-1n, BigInt(now) * 1_000n, BigInt(now) * 1_000_000n, 2n ** 63n - 1n]) {
    const moment = momentOf(timestamp).getTime();
    assert.ok(moment >= now && moment <= Date.now(), String(timestamp));
  }
  assert.equal(momentOf(1_768_943_340_000n).toISOString(), '2026-01-20T21:09:00.000Z');
});
