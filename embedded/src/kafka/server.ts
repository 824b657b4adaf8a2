import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ServerLog } from '../postgres/postmaster.ts';
import { pathExists } from '../processes/path-exists.ts';
import { choosePort } from '../processes/server-port.ts';
import { runJava, startJava, writeSettings } from './java-program.ts';
import { type KafkaLibraries, kafkaLibraries } from './libraries.ts';

const settings = join(import.meta.dirname, '../../../deploy/kafka');
const formatTimeoutMs = 60_000;

/** One life of a local Kafka broker. */
export type LocalKafka = {
  bootstrapServers: string;
  /** Of its process group: `-pid` reaches Java. */
  pid: number;
  /** Resolves, with words for the log, when the broker is gone. Never rejects. */
  exited: Promise<string>;
  /** Ends it in good order; within 30 s. May be called twice; never rejects. */
  close(): Promise<void>;
};

/**
 * A broker that takes nothing in the clear: users over SASL_SSL at its port, client certificates
 * over TLS at another one.
 */
export type KafkaSecurity = {
  /** PEM file: the broker's private key, then its certificate for `localhost`. */
  keyStore: string;
  /** PEM file: the certificate of who signs for brokers and clients. */
  authority: string;
  certifiedPort: number;
  /** The first user, for PLAIN and both SCRAM mechanisms. */
  username: string;
  password: string;
};

/**
 * Starts a single-node Kafka broker (KRaft) on 127.0.0.1 that keeps its data in `<dataDir>/kafka`
 * and ends with this process at the latest. `port` 0 takes any free one. `<dataDir>/kafka.json`
 * tells operators pid and address; its log is `<dataDir>/kafka.log`.
 * @throws Error naming what is missing or what its log says; AbortError. No process is left running
 * then.
 */
export async function startKafka(o: {
  dataDir: string;
  port: number;
  /** Where clients are sent, when they reach it through a proxy; `port` itself by default. */
  advertisedPort?: number;
  log: ServerLog;
  security?: KafkaSecurity;
  signal?: AbortSignal;
}): Promise<LocalKafka> {
  const signal = o.signal ?? new AbortController().signal;
  const dataDir = resolve(o.dataDir);
  const libraries = await kafkaLibraries(settings, o.log, signal);
  const port = await freePort(o.port);
  const config = await configure(
    dataDir,
    { port, advertisedPort: o.advertisedPort ?? port },
    o.security,
  );
  await format(libraries, config, dataDir, o.security, signal);
  const program = {
    name: 'kafka',
    libraries,
    mainClass: 'kafka.Kafka',
    ready: 'Kafka Server started',
    config,
    dataDir,
  };
  const { pid, exited, close } = await startJava(program, signal);
  const bootstrapServers = `${o.security === undefined ? '127.0.0.1' : 'localhost'}:${port}`;
  await writeFile(join(dataDir, 'kafka.json'), `${JSON.stringify({ pid, bootstrapServers })}\n`);
  return { bootstrapServers, pid, exited, close };
}

/** The port itself, or any free one for 0. @throws Error naming the variable when it is in use */
export async function freePort(wanted: number): Promise<number> {
  const port = await choosePort(wanted === 0 ? undefined : wanted);
  if (wanted === 0 || port === wanted) return port;
  throw new Error(
    `Port ${wanted} of 127.0.0.1 is in use; end what listens there, or set KAFKA_PORT to another one.`,
  );
}

async function configure(
  dataDir: string,
  { port, advertisedPort }: { port: number; advertisedPort: number },
  security: KafkaSecurity | undefined,
): Promise<string> {
  const directory = join(dataDir, 'kafka');
  await mkdir(directory, { recursive: true });
  const values = {
    PORT: String(port),
    ADVERTISED_PORT: String(advertisedPort),
    CONTROLLER_PORT: String(await choosePort(undefined)),
    DIRECTORY: directory,
  };
  const path = join(dataDir, 'kafka.properties');
  const plain = join(settings, 'server.properties');
  if (security === undefined) {
    await writeSettings(path, [plain], values);
    return path;
  }
  await writeSettings(path, [plain, join(settings, 'server-sasl-ssl.properties')], {
    ...values,
    CERTIFIED_PORT: String(security.certifiedPort),
    KEY_STORE: resolve(security.keyStore),
    AUTHORITY: resolve(security.authority),
    USERNAME: security.username,
    PASSWORD: security.password,
  });
  return path;
}

/**
 * Makes the directory a broker's, once. Until it is finished `meta.properties` is not there, and it
 * is done again.
 */
async function format(
  libraries: KafkaLibraries,
  config: string,
  dataDir: string,
  security: KafkaSecurity | undefined,
  signal: AbortSignal,
): Promise<void> {
  if (await pathExists(join(dataDir, 'kafka', 'meta.properties'))) return;
  const clusterId = randomBytes(16).toString('base64url');
  const users =
    security === undefined ? [] : ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap(scramUser(security));
  // One in 64 ids begins with a dash, and as a word of its own would be taken for an option.
  const id = `--cluster-id=${clusterId}`;
  const args = [
    'kafka.tools.StorageTool',
    'format',
    id,
    '-c',
    config,
    '--ignore-formatted',
    ...users,
  ];
  try {
    await runJava(libraries, args, { timeout: formatTimeoutMs, signal });
  } catch (error) {
    signal.throwIfAborted();
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(`Kafka cannot use ${join(dataDir, 'kafka')}: ${stderr.trim() || message}`, {
      cause: error,
    });
  }
}

const scramUser =
  ({ username, password }: KafkaSecurity) =>
  (mechanism: string): string[] => [
    '--add-scram',
    `${mechanism}=[name=${username},password=${password}]`,
  ];
