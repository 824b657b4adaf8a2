import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLoop } from '../../src/process/loop.ts';

test('turns follow each other, after a failed one too, until the loop is stopped', async () => {
  const seen: string[] = [];
  const enough = Promise.withResolvers<void>();
  const loop = createLoop({
    turn: async () => {
      seen.push('turn');
      if (seen.length >= 3) enough.resolve();
      throw new Error('away');
    },
    failed: (error) => {
      seen.push(error instanceof Error ? error.message : '');
      return 0;
    },
  });
  loop.start();
  await enough.promise;
  await loop.stop();
  assert.equal(loop.isStopping, true);
  assert.deepEqual(seen.slice(0, 4), ['turn', 'away', 'turn', 'away']);
});

test('waking ends the pause, and stopping ends it without another turn', async () => {
  let turns = 0;
  let next = Promise.withResolvers<void>();
  const loop = createLoop({
    turn: async () => {
      turns += 1;
      next.resolve();
      return 60_000;
    },
    failed: () => 60_000,
  });
  loop.start();
  await next.promise;
  next = Promise.withResolvers<void>();
  setImmediate(loop.wake);
  await next.promise;
  await loop.stop();
  assert.equal(turns, 2);
});

test('stopping waits for the turn in hand', async () => {
  const hand = Promise.withResolvers<void>();
  let isDone = false;
  const loop = createLoop({
    turn: async () => {
      await hand.promise;
      isDone = true;
      return 0;
    },
    failed: () => 0,
  });
  loop.start();
  const stopped = loop.stop();
  hand.resolve();
  await stopped;
  assert.equal(isDone, true);
});
