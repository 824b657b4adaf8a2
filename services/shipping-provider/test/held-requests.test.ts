import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { ServerResponse } from 'node:http';
import { test } from 'node:test';
import { createHeldRequests } from '../src/held-requests.ts';

const response = () =>
  Object.assign(new EventEmitter(), { destroyed: false }) as unknown as ServerResponse;

test('a wait ends after its time and leaves nothing behind', async () => {
  const held = createHeldRequests(1);
  const one = response();
  const wait = held.wait(one, 5);
  assert.equal(held.isFull(), true);
  await wait;
  assert.deepEqual([held.count(), one.listenerCount('close')], [0, 0]);
});

test('a wait ends when its caller goes away, and at once when it is gone already', async () => {
  const held = createHeldRequests(10);
  const one = response();
  const wait = held.wait(one, 600_000);
  one.emit('close');
  await wait;
  await held.wait(Object.assign(response(), { destroyed: true }), 600_000);
  assert.equal(held.count(), 0);
});

test('close ends every wait and those to come', async () => {
  const held = createHeldRequests(10);
  const waits = [held.wait(response(), 600_000), held.wait(response(), 600_000)];
  held.close();
  await Promise.all(waits);
  await held.wait(response(), 600_000);
  assert.equal(held.count(), 0);
});
