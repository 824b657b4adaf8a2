// A member of a group as a process of its own, to be killed: `node kafka-member-process.ts SERVERS
// TOPIC GROUP` prints a line per event; with `hangs` as a fourth word its handler never ends.
import { createKafkaBroker } from '../../src/kafka/broker.ts';
import { silentLog } from '../kit/test-kafka.ts';

const [servers = '', topic = '', group = '', how = ''] = process.argv.slice(2);
const broker = createKafkaBroker({
  connection: { bootstrapBrokers: servers.split(',') },
  clientId: 'member-process',
  topics: { events: topic },
  partitions: 4,
  replication: 1,
  log: silentLog,
});
await broker.subscribe({
  topic: 'events',
  group,
  eventsMax: 100,
  handler: async (events) => {
    for (const { key, partition, offset } of events)
      process.stdout.write(`${key} ${partition} ${offset}\n`);
    if (how === 'hangs') await new Promise(() => undefined);
  },
});
