import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { type LocalKafka, startKafka } from '@orders/embedded/kafka/server';
import { Admin } from '@platformatic/kafka';
import { createKafkaBroker } from '../../src/kafka/broker.ts';
import type { KafkaConnection } from '../../src/kafka/config.ts';
import { createLog, type Log } from '../../src/process/log.ts';

export const silentLog = createLog({
  level: process.env.TEST_LOG_LEVEL ?? 'silent',
  isTerminal: false,
});
const quiet = { info: () => undefined, warn: () => undefined };

type Start = (o: { dataDir: string; port: number; log: typeof quiet }) => Promise<LocalKafka>;

/**
 * A real broker of the calling test file's own, which it may kill; undefined where there is none to
 * be had. Ends with the file.
 */
export async function startTestKafka(start: Start = startKafka) {
  const dataDir = await mkdtemp(join(tmpdir(), 'orders-kafka-'));
  let kafka: LocalKafka;
  try {
    kafka = await start({ dataDir, port: 0, log: quiet });
  } catch (error) {
    await rm(dataDir, { recursive: true, force: true });
    return reportMissing(error);
  }
  const port = Number(kafka.bootstrapServers.split(':')[1]);
  after(async () => {
    await kafka.close();
    await rm(dataDir, { recursive: true, force: true });
  });
  return {
    bootstrapServers: kafka.bootstrapServers,
    signal: (signal: NodeJS.Signals) => process.kill(-kafka.pid, signal),
    async kill() {
      process.kill(-kafka.pid, 'SIGKILL');
      await kafka.exited;
    },
    async restart() {
      kafka = await start({ dataDir, port, log: quiet });
    },
  };
}
export type TestKafka = NonNullable<Awaited<ReturnType<typeof startTestKafka>>>;

/**
 * Any real broker: `KAFKA_BOOTSTRAP_SERVERS`, or one started for the file. Where others use it too,
 * the file's topics are deleted after it.
 */
export async function anyKafka(): Promise<{ bootstrapServers: string } | undefined> {
  const given = process.env.KAFKA_BOOTSTRAP_SERVERS;
  if (!given) return await startTestKafka();
  after(() => deleteTopics(given));
  return { bootstrapServers: given };
}

const usedTopics = new Set<string>();

async function deleteTopics(servers: string): Promise<void> {
  const admin = new Admin({ clientId: 'tests', bootstrapBrokers: servers.split(',') });
  try {
    const topics = (await admin.listTopics()).filter((topic) => usedTopics.has(topic));
    if (topics.length > 0) await admin.deleteTopics({ topics });
  } finally {
    await admin.close();
  }
}

export const skipWithout = (kafka: unknown) =>
  kafka === undefined ? { skip: 'there is no Kafka broker' } : {};

/**
 * Without Java or Maven the tests are left out, loudly; with `REQUIRE_KAFKA=1`, or for any other
 * reason, they fail.
 */
export function reportMissing(error: unknown): undefined {
  const { message } = error as Error;
  if (process.env.REQUIRE_KAFKA === '1' || !/needs (?:Java|Maven)/.test(message)) throw error;
  process.stderr.write(`\nKAFKA TESTS ARE SKIPPED. ${message}\n\n`);
  return undefined;
}

type OpenOptions = {
  names?: Record<string, string>;
  topics?: string[];
  partitions?: number;
  publishDeadlineMs?: number;
  clientId?: string;
  groupInstanceId?: string;
  log?: Log;
};

/**
 * A broker on topics and groups of the test's own; `names` and `groupOf` tell what Kafka calls
 * them.
 */
export function openKafkaBroker(
  t: TestContext,
  servers: string | KafkaConnection,
  options: OpenOptions = {},
) {
  const { topics = ['events'], names: given, ...others } = options;
  const suffix = crypto.randomUUID().slice(0, 8);
  const names = given ?? Object.fromEntries(topics.map((topic) => [topic, `${topic}-${suffix}`]));
  for (const name of Object.values(names)) usedTopics.add(name).add(`${name}.dlq`);
  const groupOf = (group: string): string => `${group}-${Object.values(names)[0]}`;
  const connection =
    typeof servers === 'string' ? { bootstrapBrokers: servers.split(',') } : servers;
  const settings = { clientId: 'tests', partitions: 4, replication: 1, log: silentLog, ...others };
  const broker = createKafkaBroker({ connection, topics: names, ...settings });
  t.after(() => broker.close());
  const subscribe: typeof broker.subscribe = (wanted) =>
    broker.subscribe({ ...wanted, group: groupOf(wanted.group) });
  return { broker: { ...broker, subscribe }, names, groupOf, connection };
}
