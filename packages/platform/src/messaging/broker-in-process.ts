// Station 5 of 9: broker, in-process. From the relay (4) come published events; they go to a member
// of every declared group (6 or 9) and are acknowledged when all of them have committed.

import { messageOf } from '../process/errors.ts';
import type { BatchHandler, Broker, IncomingEvent, OutgoingEvent, Subscription } from './broker.ts';

/**
 * Events that wait for one member; beyond this a publish is rejected and the relay comes back
 * later.
 */
const memberQueueMax = 20_000;

type Delivery = { event: IncomingEvent; publish: Publish };
type Publish = {
  left: number;
  isOver: boolean;
  resolve: () => void;
  reject: (error: Error) => void;
};
type Member = {
  queue: Delivery[];
  eventsMax: number;
  handler: BatchHandler;
  isBusy: boolean;
  isClosed: boolean;
  /** Settles when the work in hand is done. */
  idle: Promise<void>;
};

/**
 * The broker of the embedded default: keeps nothing, because a publish is acknowledged only when
 * every declared group has committed it; until then the outbox row of the publisher is the memory.
 *
 * `groups`: topic → the groups that must have an event. A publish is rejected while one of them has
 * no member, so no subscriber never means delivered; a topic that is declared with no group (dead
 * letters) takes everything and keeps nothing.
 */
export function createInProcessBroker(options: {
  groups: Record<string, string[]>;
  partitions?: number;
  publishDeadlineMs?: number;
}): Broker {
  const { groups, partitions = 12, publishDeadlineMs = 5_000 } = options;
  const members = new Map<string, Member[]>();
  const membersOf = (topic: string, group: string): Member[] =>
    members.get(`${topic}\n${group}`) ?? [];
  // Offsets must never come twice, also not after a restart: they begin at the microsecond of the
  // start and grow by one an event, which no process exceeds (that would be a million events a
  // second).
  let nextOffset = BigInt(Date.now()) * 1_000n;

  function publish(topic: string, events: OutgoingEvent[]): Promise<void> {
    const declared = groups[topic];
    if (declared === undefined)
      return Promise.reject(new Error(`The topic ${topic} is not declared.`));
    const missing = declared.find((group) => membersOf(topic, group).length === 0);
    if (missing !== undefined)
      return Promise.reject(new Error(`The group ${missing} is not attached to ${topic}.`));
    const incoming = events.map((event) => toIncoming(topic, event));
    return new Promise<void>((resolve, reject) => {
      const publish: Publish = {
        left: incoming.length * declared.length,
        isOver: false,
        resolve,
        reject,
      };
      if (publish.left === 0) return resolve();
      const timer = setTimeout(
        () => end(new Error(`No commit within ${publishDeadlineMs} ms.`)),
        publishDeadlineMs,
      );
      const end = (error?: Error): void => {
        clearTimeout(timer);
        publish.isOver = true;
        if (error === undefined) resolve();
        else reject(error);
      };
      publish.resolve = () => end();
      publish.reject = end;
      for (const group of declared) deliver(membersOf(topic, group), incoming, publish);
    });
  }

  function toIncoming(topic: string, { key, value, headers }: OutgoingEvent): IncomingEvent {
    const offset = nextOffset;
    nextOffset += 1n;
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    return {
      topic,
      partition: partitionOf(key, partitions),
      offset,
      key,
      value: bytes,
      headers,
      publishedAt: new Date(),
    };
  }

  return {
    publish,
    async subscribe({ topic, group, eventsMax, handler }): Promise<Subscription> {
      if (!groups[topic]?.includes(group))
        throw new Error(`The group ${group} is not declared for ${topic}.`);
      const member: Member = {
        queue: [],
        eventsMax,
        handler,
        isBusy: false,
        isClosed: false,
        idle: Promise.resolve(),
      };
      const list = membersOf(topic, group);
      members.set(`${topic}\n${group}`, [...list, member]);
      return {
        async close() {
          members.set(
            `${topic}\n${group}`,
            membersOf(topic, group).filter((other) => other !== member),
          );
          await closeMember(member);
        },
      };
    },
    async close() {
      const all = [...members.values()].flat();
      members.clear();
      await Promise.all(all.map(closeMember));
    },
  };
}

function deliver(to: Member[], events: IncomingEvent[], publish: Publish): void {
  for (const event of events) {
    const member = to[event.partition % to.length] as Member;
    if (member.queue.length >= memberQueueMax) {
      publish.reject(new Error('The consumer is too far behind.'));
      return;
    }
    member.queue.push({ event, publish });
  }
  for (const member of to) wake(member);
}

function wake(member: Member): void {
  if (!member.isBusy) member.idle = work(member);
}

/** Ends because each turn takes at least one delivery and a publish adds a bounded number. */
async function work(member: Member): Promise<void> {
  member.isBusy = true;
  while (member.queue.length > 0 && !member.isClosed) {
    const batch = member.queue.splice(0, member.eventsMax).filter(({ publish }) => !publish.isOver);
    if (batch.length === 0) continue;
    try {
      await member.handler(batch.map(({ event }) => event));
      for (const { publish } of batch) {
        publish.left -= 1;
        if (publish.left === 0 && !publish.isOver) publish.resolve();
      }
    } catch (error) {
      const failed = new Error(`A consumer failed: ${messageOf(error)}`, { cause: error });
      for (const { publish } of batch) if (!publish.isOver) publish.reject(failed);
    }
  }
  // In the same turn as the last look at the queue: an event that comes later finds the member
  // free.
  member.isBusy = false;
}

async function closeMember(member: Member): Promise<void> {
  member.isClosed = true;
  await member.idle;
  for (const { publish } of member.queue)
    if (!publish.isOver) publish.reject(new Error('The consumer was closed.'));
  member.queue = [];
}

/** FNV-1a over the key's characters: the same key always goes to the same partition. */
function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < key.length; i += 1)
    hash = Math.imul(hash ^ key.charCodeAt(i), 0x01000193) >>> 0;
  return hash % partitions;
}
