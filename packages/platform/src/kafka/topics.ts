import { Admin, findErrorBy } from '@platformatic/kafka';
import { within } from '../process/deadline.ts';
import type { Log } from '../process/log.ts';
import type { KafkaConnection } from './config.ts';
import { withReason } from './reason.ts';

const createWithinMs = 15_000;

/** Creates topics that are missing; what exists is used as it is. */
export type KafkaTopics = {
  /**
   * Resolves when every topic exists; asks Kafka once until `forget`. Rejects when Kafka cannot be
   * asked within 15 s.
   */
  ensure(): Promise<void>;
  /** A topic has turned out to be missing: the next `ensure` looks again. */
  forget(): void;
};

export function createKafkaTopics(options: {
  connection: KafkaConnection;
  clientId: string;
  topics: string[];
  partitions: number;
  replication: number;
  log: Log;
}): KafkaTopics {
  let ensured: Promise<void> | undefined;
  return {
    ensure() {
      ensured ??= createMissing(options).catch((error) => {
        ensured = undefined;
        throw error;
      });
      return ensured;
    },
    forget() {
      ensured = undefined;
    },
  };
}

async function createMissing(options: Parameters<typeof createKafkaTopics>[0]): Promise<void> {
  const { connection, clientId, topics, partitions, replication, log } = options;
  const admin = new Admin({
    ...connection,
    clientId,
    connectTimeout: 1_500,
    requestTimeout: 5_000,
    retries: 2,
    retryDelay: 300,
  });
  const work = async (): Promise<void> => {
    const existing = new Set(await admin.listTopics());
    const missing = topics.filter((topic) => !existing.has(topic));
    for (const topic of missing) {
      try {
        await admin.createTopics({ topics: [topic], partitions, replicas: replication });
        log.info({ topic, partitions, replication }, 'Kafka topic created');
      } catch (error) {
        // Another service was quicker.
        if (findErrorBy(error as Error, 'apiId', 'TOPIC_ALREADY_EXISTS') === null) throw error;
      }
    }
    const kept = topics.filter((topic) => existing.has(topic));
    if (kept.length > 0) warnOfOthers(await otherwise(admin, kept, partitions, replication), log);
  };
  try {
    await within(createWithinMs, 'Looking for the Kafka topics', work());
  } catch (error) {
    throw withReason(error);
  } finally {
    await admin.close();
  }
}

async function otherwise(admin: Admin, topics: string[], partitions: number, replication: number) {
  const metadata = await admin.metadata({ topics });
  return topics.flatMap((topic) => {
    const found = metadata.topics.get(topic);
    const replicas = found?.partitions[0]?.replicas.length ?? replication;
    const isAsConfigured = found?.partitionsCount === partitions && replicas === replication;
    return isAsConfigured
      ? []
      : [{ topic, partitions: found?.partitionsCount, replication: replicas }];
  });
}

function warnOfOthers(topics: object[], log: Log): void {
  if (topics.length > 0)
    log.warn(
      { topics },
      'Kafka topics exist with other settings than configured; used as they are',
    );
}
