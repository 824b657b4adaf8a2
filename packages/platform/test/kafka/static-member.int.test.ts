import assert from 'node:assert/strict';
import { tracingChannel } from 'node:diagnostics_channel';
import { Writable } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { Admin, type Consumer } from '@platformatic/kafka';
import pino from 'pino';
import type { BatchHandler } from '../../src/messaging/broker.ts';
import { event, publish, topic } from '../kit/published-events.ts';
import { anyKafka, openKafkaBroker, skipWithout } from '../kit/test-kafka.ts';
import { until } from '../kit/until.ts';

const kafka = await anyKafka();
const servers = kafka?.bootstrapServers ?? '';
const options = { timeout: 90_000, ...skipWithout(kafka) };
const names = () => ({ [topic]: `${topic}-${crypto.randomUUID().slice(0, 8)}` });

type Names = ReturnType<typeof names>;
type Settings = { groupInstanceId?: string; handle?: BatchHandler };

/** A member that calls itself `clientId`, and what it has handled and said so far. */
async function startMember(t: TestContext, of: Names, clientId: string, settings: Settings = {}) {
  const { groupInstanceId, handle } = settings;
  const said: string[] = [];
  const log = pino(
    new Writable({ write: (line, _, done) => done(void said.push(String(line)) as undefined) }),
  );
  const named = groupInstanceId === undefined ? {} : { groupInstanceId };
  const { broker, groupOf } = openKafkaBroker(t, servers, { names: of, clientId, log, ...named });
  const handled = new Set<string>();
  const handler: BatchHandler = async (events) => {
    await handle?.(events);
    for (const { key } of events) handled.add(key ?? '');
  };
  await broker.subscribe({ topic, group: 'a', eventsMax: 100, handler });
  return { broker, group: groupOf('a'), handled, said };
}

/** How often each client has done it, from its own doing. */
function counted(
  t: TestContext,
  channel: 'consumer:group' | 'consumer:heartbeat',
  operation: string,
) {
  const counts = new Map<string, number>();
  const count = (context: unknown): void => {
    const { client, operation: done } = context as { client: Consumer; operation: string };
    if (done === operation) counts.set(client.clientId, (counts.get(client.clientId) ?? 0) + 1);
  };
  const { start } = tracingChannel(`plt:kafka:${channel}`);
  start.subscribe(count);
  t.after(() => start.unsubscribe(count));
  return (clientId: string): number => counts.get(clientId) ?? 0;
}

function openAdmin(t: TestContext) {
  const admin = new Admin({ clientId: 'tests', bootstrapBrokers: servers.split(',') });
  t.after(() => admin.close());
  const members = async (group: string) => [
    ...((await admin.describeGroups({ groups: [group] })).get(group)?.members.values() ?? []),
  ];
  /** Partitions by client; empty where the group has not agreed on them. */
  const places = async (group: string): Promise<Record<string, number[]>> =>
    Object.fromEntries(
      (await members(group)).map(({ clientId, assignments }) => [
        clientId,
        [...(assignments?.values() ?? [])].flatMap(({ partitions }) => partitions),
      ]),
    );
  const untilShared = (group: string, ...counts: number[]): Promise<void> =>
    until(
      `partitions are shared ${counts}`,
      async () => {
        const found = Object.values(await places(group)).map(({ length }) => length);
        return found.sort().join() === counts.join();
      },
      30_000,
    );
  return { admin, members, places, untilShared };
}

const keysOf = (round: string): string[] => Array.from({ length: 40 }, (_, i) => `${round}-${i}`);
const eventsOf = (round: string) => keysOf(round).map((key) => event(key));

test(
  'a static member that closes and comes back has its partitions, and the others notice nothing',
  options,
  async (t) => {
    const [joins, { places, untilShared }, of] = [
      counted(t, 'consumer:group', 'joinGroup'),
      openAdmin(t),
      names(),
    ];
    const one = await startMember(t, of, 'one', { groupInstanceId: 'one' });
    const two = await startMember(t, of, 'two', { groupInstanceId: 'two' });
    await untilShared(one.group, 2, 2);
    await publish(two.broker, eventsOf('before'));
    await until('both have their share', () => one.handled.size + two.handled.size === 40);
    const [before, joinsBefore] = [await places(one.group), joins('two')];

    await one.broker.close();
    assert.deepEqual(await places(one.group), before);
    await publish(two.broker, eventsOf('between'));
    const again = await startMember(t, of, 'one', { groupInstanceId: 'one' });
    await publish(two.broker, eventsOf('after'));
    const keys = ['between', 'after'].flatMap(keysOf);
    const isHandled = (key: string): boolean => again.handled.has(key) || two.handled.has(key);
    await until('all are handled', () => keys.every(isHandled));
    assert.deepEqual(await places(one.group), before);
    assert.ok(again.handled.size > 0);
    assert.equal(joins('two'), joinsBefore, 'the other one had to join again');
  },
);

test(
  'a member without a name leaves when it closes, and the others take its partitions over',
  options,
  async (t) => {
    const [joins, { untilShared }, of] = [
      counted(t, 'consumer:group', 'joinGroup'),
      openAdmin(t),
      names(),
    ];
    const one = await startMember(t, of, 'one');
    const two = await startMember(t, of, 'two');
    await untilShared(one.group, 2, 2);
    const joinsBefore = joins('two');
    await one.broker.close();
    await untilShared(one.group, 4);
    assert.ok(joins('two') > joinsBefore);
    await publish(two.broker, eventsOf('after'));
    await until('it handles all', () => keysOf('after').every((key) => two.handled.has(key)));
  },
);

// The client alone would take the place back, and so would the other one: two members that throw
// each other out every second.
for (const what of ['while it is idle', 'with a batch in hand']) {
  test(
    `a second process with the same name replaces the first ${what}, which waits until that one is gone`,
    options,
    async (t) => {
      const [joins, beats] = [
        counted(t, 'consumer:group', 'joinGroup'),
        counted(t, 'consumer:heartbeat', 'heartbeat'),
      ];
      const [{ admin, members, untilShared }, of] = [openAdmin(t), names()];
      const [taken, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const isBusy = what !== 'while it is idle';
      const handle = async (): Promise<void> => {
        taken.resolve();
        if (isBusy) await gate.promise;
      };
      const first = await startMember(t, of, 'first', { groupInstanceId: 'same', handle });
      await publish(first.broker, eventsOf('early'));
      await taken.promise;
      await untilShared(first.group, 4);
      if (!isBusy)
        await until('nothing is in hand', async () =>
          (await first.broker.lag.read()).every((l) => l.events === 0),
        );

      const placeOf = async () => (await members(first.group))[0]?.id;
      const before = await placeOf();
      const second = await startMember(t, of, 'second', { groupInstanceId: 'same' });
      await until('the second one is the member', async () => (await placeOf()) !== before);
      gate.resolve();
      const tells = (): string[] =>
        first.said.filter((line) =>
          line.includes('another process has the same KAFKA_GROUP_INSTANCE_ID'),
        );
      await until('the first one says so', () => tells().length > 0);
      await publish(second.broker, eventsOf('during'));
      await until('the second one handles all', () =>
        keysOf('during').every((key) => second.handled.has(key)),
      );
      const [place, beatsBefore] = [await placeOf(), beats('second')];
      await until('some seconds pass', () => beats('second') >= beatsBefore + 6);
      assert.equal(await placeOf(), place, 'the place has changed hands again');
      assert.deepEqual([joins('second'), tells().length], [1, 1], first.said.join(''));

      await second.broker.close();
      const reserved = { memberId: (await placeOf()) ?? '', reason: 'gone for good' };
      await admin.removeMembersFromConsumerGroup({ groupId: first.group, members: [reserved] });
      await publish(first.broker, eventsOf('late'));
      await until(
        'the first one goes on',
        () => keysOf('late').every((key) => first.handled.has(key)),
        20_000,
      );
    },
  );
}
