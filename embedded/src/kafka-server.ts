import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, open, readFile, rename, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type BoundChild, spawnBound } from './bound-child.ts';
import { holdsWithin } from './bounded-wait.ts';
import { type KafkaLibraries, kafkaLibraries } from './kafka-libraries.ts';
import type { ServerLog } from './postmaster.ts';
import { choosePort } from './server-port.ts';

const run = promisify(execFile);
const settings = join(import.meta.dirname, '../../deploy/kafka');
const formatTimeoutMs = 60_000;
/** 4 s on an idle machine; a busy one is slow, and after a crash the logs are read again. */
const readyWithinMs = 120_000;
/** An orderly end takes 1 to 3 s, the first one longer: it writes the archive of classes. */
const stopWithinMs = 30_000;
const started = 'Kafka Server started';

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
 * Starts a single-node Kafka broker (KRaft) on 127.0.0.1 that keeps its data in `<dataDir>/kafka` and ends with this process at the
 * latest. `port` 0 takes any free one. `<dataDir>/kafka.json` tells operators pid and address; its log is `<dataDir>/kafka.log`.
 * @throws Error naming what is missing or what its log says; AbortError. No process is left running then.
 */
export async function startKafka(o: {
  dataDir: string;
  port: number;
  log: ServerLog;
  signal?: AbortSignal;
}): Promise<LocalKafka> {
  const signal = o.signal ?? new AbortController().signal;
  const dataDir = resolve(o.dataDir);
  const libraries = await kafkaLibraries(o.log, signal);
  const port = await choosePort(o.port === 0 ? undefined : o.port);
  if (o.port !== 0 && port !== o.port) {
    throw new Error(`Port ${o.port} of 127.0.0.1 is in use; end what listens there, or set KAFKA_PORT to another one.`);
  }
  const config = await configure(dataDir, port);
  await format(libraries, config, dataDir, signal);
  const { child, keepArchive } = await launch(libraries, config, dataDir, signal);
  const bootstrapServers = `127.0.0.1:${port}`;
  await writeFile(join(dataDir, 'kafka.json'), `${JSON.stringify({ pid: child.pid, bootstrapServers })}\n`);
  const end = async (): Promise<void> => {
    await child.stop(stopWithinMs);
    await keepArchive();
  };
  let ended: Promise<void> | undefined;
  return {
    bootstrapServers,
    pid: child.pid,
    exited: child.exited,
    close() {
      ended ??= end();
      return ended;
    },
  };
}

async function configure(dataDir: string, port: number): Promise<string> {
  const directory = join(dataDir, 'kafka');
  await mkdir(directory, { recursive: true });
  const values: Record<string, string> = {
    PORT: String(port),
    CONTROLLER_PORT: String(await choosePort(undefined)),
    DIRECTORY: directory.replaceAll('\\', '\\\\'),
  };
  const template = await readFile(join(settings, 'server.properties'), 'utf8');
  const path = join(dataDir, 'kafka.properties');
  await writeFile(
    path,
    template.replaceAll(/^([^#].*)$/gm, (line) => line.replaceAll(/\$\{(\w+)\}/g, (_, name) => values[name] ?? '')),
  );
  return path;
}

/** Makes the directory a broker's, once. Until it is finished `meta.properties` is not there, and it is done again. */
async function format(libraries: KafkaLibraries, config: string, dataDir: string, signal: AbortSignal): Promise<void> {
  if (await exists(join(dataDir, 'kafka', 'meta.properties'))) return;
  const clusterId = randomBytes(16).toString('base64url');
  const args = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', config, '--ignore-formatted'];
  const { java, classPath } = libraries;
  try {
    await run(java, [`@${join(settings, 'jvm.options')}`, '-cp', classPath, ...args], {
      timeout: formatTimeoutMs,
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    const { stderr = '', message } = error as Error & { stderr?: string };
    throw new Error(`Kafka cannot use ${join(dataDir, 'kafka')}: ${stderr.trim() || message}`, { cause: error });
  }
}

async function launch(libraries: KafkaLibraries, config: string, dataDir: string, signal: AbortSignal) {
  const { java, classPath, archive } = libraries;
  const isArchived = await exists(archive);
  // Java writes it at its orderly end; under another name, as two may do so at once.
  const fresh = `${archive}.${process.pid}`;
  const classes = isArchived ? [`-XX:SharedArchiveFile=${archive}`] : [`-XX:ArchiveClassesAtExit=${fresh}`];
  const command = [java, `@${join(settings, 'jvm.options')}`, ...classes, '-cp', classPath, 'kafka.Kafka', config];
  const logFile = join(dataDir, 'kafka.log');
  const file = await open(logFile, 'w');
  let child: BoundChild;
  try {
    child = spawnBound(command, { env: { PATH: process.env.PATH, LC_ALL: 'C' }, cwd: dataDir, output: file.fd });
  } finally {
    await file.close();
  }
  await untilReady(child, logFile, signal);
  const keepArchive = async (): Promise<void> => {
    if (isArchived || !(await exists(fresh))) return;
    await rename(fresh, archive);
  };
  return { child, keepArchive };
}

async function untilReady(child: BoundChild, logFile: string, signal: AbortSignal): Promise<void> {
  let end: string | undefined;
  void child.exited.then((how) => {
    end = how;
  });
  const isReady = async (): Promise<boolean> =>
    end !== undefined || (await readFile(logFile, 'utf8')).includes(started);
  try {
    const inTime = await holdsWithin(readyWithinMs, isReady, { everyMs: 100, signal });
    if (inTime && end === undefined) return;
    const lines = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-15).join('\n');
    throw new Error(`Kafka did not start: ${end ?? `not ready after ${readyWithinMs} ms`}; its log says:\n${lines}`);
  } catch (error) {
    await child.stop(0);
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
