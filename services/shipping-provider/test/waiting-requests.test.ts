import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { createWaitingRequests } from '../src/waiting-requests.ts';

const response = () =>
  Object.assign(new EventEmitter(), { destroyed: false }) as unknown as ServerResponse;

test('a wait ends after its time and leaves nothing behind', async () => {
  const waiting = createWaitingRequests(1);
  const one = response();
  const wait = waiting.wait(one, 5);
  assert.equal(waiting.isFull(), true);
  await wait;
  assert.deepEqual([waiting.count(), one.listenerCount('close')], [0, 0]);
});

test('a wait ends when its caller goes away, and at once when it is gone already', async () => {
  const waiting = createWaitingRequests(10);
  const one = response();
  const wait = waiting.wait(one, 600_000);
  one.emit('close');
  await wait;
  await waiting.wait(Object.assign(response(), { destroyed: true }), 600_000);
  assert.equal(waiting.count(), 0);
});

test('close ends every wait and those to come', async () => {
  const waiting = createWaitingRequests(10);
  const waits = [waiting.wait(response(), 600_000), waiting.wait(response(), 600_000)];
  waiting.close();
  await Promise.all(waits);
  await waiting.wait(response(), 600_000);
  assert.equal(waiting.count(), 0);
});
