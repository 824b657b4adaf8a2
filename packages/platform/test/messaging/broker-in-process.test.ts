import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createInProcessBroker } from '../../src/messaging/broker-in-process.ts';
import { event } from '../kit/published-events.ts';
import { examineBroker } from './broker.exam.ts';

examineBroker('in-process', (t, groups) => {
  const broker = createInProcessBroker({ groups: { events: groups } });
  t.after(() => broker.close());
  return broker;
});

test('a publish is rejected while a declared group has no member', async (t) => {
  const broker = createInProcessBroker({ groups: { events: ['a', 'b'] } });
  t.after(() => broker.close());
  await broker.subscribe({
    topic: 'events',
    group: 'a',
    eventsMax: 10,
    handler: async () => undefined,
  });
  await assert.rejects(broker.publish('events', [event('k')]), /group b is not attached/);
});

test('a publish that no group commits in time is rejected', async (t) => {
  const broker = createInProcessBroker({ groups: { events: ['a'] }, publishDeadlineMs: 20 });
  const gate = Promise.withResolvers<void>();
  t.after(() => {
    gate.resolve();
    return broker.close();
  });
  await broker.subscribe({
    topic: 'events',
    group: 'a',
    eventsMax: 10,
    handler: () => gate.promise,
  });
  await assert.rejects(broker.publish('events', [event('k')]), /No commit within 20 ms/);
});

test('a topic that is declared without groups takes everything, one that is not declared nothing', async (t) => {
  const broker = createInProcessBroker({ groups: { 'events.dlq': [] } });
  t.after(() => broker.close());
  await broker.publish('events.dlq', [event('k')]);
  await assert.rejects(broker.publish('other', [event('k')]), /not declared/);
});
