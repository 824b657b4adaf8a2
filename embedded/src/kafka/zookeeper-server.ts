import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ServerLog } from '../postgres/postmaster.ts';
import { choosePort } from '../processes/server-port.ts';
import { startJava, writeSettings } from './java-program.ts';
import { kafkaLibraries } from './libraries.ts';
import { freePort, type LocalKafka } from './server.ts';

const settings = join(import.meta.dirname, '../../../deploy/kafka-zookeeper');

/**
 * As `startKafka`, with Kafka 3.9 on a ZooKeeper of its own, whose data are in
 * `<dataDir>/zookeeper`. Two processes: `pid` is the broker's, `exited` resolves when either is
 * gone, `close` ends the broker first.
 * @throws Error naming what is missing or what a log says; AbortError. No process is left running
 * then.
 */
export async function startKafkaOnZooKeeper(o: {
  dataDir: string;
  port: number;
  log: ServerLog;
  signal?: AbortSignal;
}): Promise<LocalKafka> {
  const signal = o.signal ?? new AbortController().signal;
  const dataDir = resolve(o.dataDir);
  const libraries = await kafkaLibraries(settings, o.log, signal);
  const port = await freePort(o.port);
  const { kafka: brokerConfig, zookeeper: zookeeperConfig } = await configure(dataDir, port);
  const zookeeper = await startJava(
    {
      name: 'zookeeper',
      libraries,
      mainClass: 'org.apache.zookeeper.server.quorum.QuorumPeerMain',
      ready: 'binding to port',
      config: zookeeperConfig,
      dataDir,
    },
    signal,
  );
  try {
    const program = {
      name: 'kafka',
      libraries,
      mainClass: 'kafka.Kafka',
      config: brokerConfig,
      dataDir,
    };
    const kafka = await startJava({ ...program, ready: '[KafkaServer id=1] started' }, signal);
    return {
      bootstrapServers: `127.0.0.1:${port}`,
      pid: kafka.pid,
      exited: Promise.race([kafka.exited, zookeeper.exited.then((how) => `ZooKeeper: ${how}`)]),
      async close() {
        await kafka.close();
        await zookeeper.close();
      },
    };
  } catch (error) {
    await zookeeper.close();
    throw error;
  }
}

async function configure(
  dataDir: string,
  port: number,
): Promise<{ kafka: string; zookeeper: string }> {
  const values = {
    PORT: String(port),
    ZOOKEEPER_PORT: String(await choosePort(undefined)),
    DIRECTORY: join(dataDir, 'kafka'),
    ZOOKEEPER_DIRECTORY: join(dataDir, 'zookeeper'),
  };
  await mkdir(values.DIRECTORY, { recursive: true });
  await mkdir(values.ZOOKEEPER_DIRECTORY, { recursive: true });
  const paths = {
    kafka: join(dataDir, 'kafka.properties'),
    zookeeper: join(dataDir, 'zookeeper.properties'),
  };
  await writeSettings(paths.kafka, [join(settings, 'server.properties')], values);
  await writeSettings(paths.zookeeper, [join(settings, 'zookeeper.properties')], values);
  return paths;
}
