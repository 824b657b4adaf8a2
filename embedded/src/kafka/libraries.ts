import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { codeOf } from '@orders/platform/process/errors';
import type { ServerLog } from '../postgres/postmaster.ts';
import { pathExists } from '../processes/path-exists.ts';

const run = promisify(execFile);
const javaVersionMin = 17;
const fetchTimeoutMs = 600_000;
const ownBroker = 'or set KAFKA_BOOTSTRAP_SERVERS to a Kafka broker of your own';

/** What is needed to run Kafka's programs. */
export type KafkaLibraries = {
  java: string;
  javaVersion: string;
  classPath: string;
  /** Where the jars are, and what belongs to them may be kept. */
  directory: string;
};

/**
 * The jars that `<settings>/pom.xml` names, from the cache directory (`$XDG_CACHE_HOME` or
 * `~/.cache`); on first use Maven fetches them, which takes about a minute. Several processes may
 * do so at once.
 * @throws Error naming what is missing (Java 17, Maven) and what to install
 */
export async function kafkaLibraries(
  settings: string,
  log: ServerLog,
  signal: AbortSignal,
): Promise<KafkaLibraries> {
  const pom = join(settings, 'pom.xml');
  const { java, version } = await findJava();
  const hash = createHash('sha256').update(await readFile(pom));
  const name = `kafka-${hash.digest('hex').slice(0, 12)}`;
  const cache = join(
    process.env.XDG_CACHE_HOME || join(homedir(), '.cache'),
    'order-processing-system',
  );
  const directory = join(cache, name);
  if (!(await pathExists(directory))) await fetchJars(pom, directory, log, signal);
  const jars = (await readdir(directory)).filter((file) => file.endsWith('.jar')).sort();
  return {
    java,
    javaVersion: version,
    classPath: jars.map((jar) => join(directory, jar)).join(delimiter),
    directory,
  };
}

async function findJava(): Promise<{ java: string; version: string }> {
  const java = process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin/java') : 'java';
  const install = `Install it (Debian, Ubuntu: apt-get install openjdk-17-jre-headless; macOS: brew install openjdk@17) ${ownBroker}.`;
  let said: string;
  try {
    said = (await run(java, ['-version'], { timeout: 30_000 })).stderr;
  } catch (cause) {
    throw new Error(
      `A local Kafka needs Java ${javaVersionMin} or newer, and ${java} does not run. ${install}`,
      {
        cause,
      },
    );
  }
  const version = /version "([^"]+)"/.exec(said)?.[1] ?? '';
  if (Number.parseInt(version, 10) >= javaVersionMin) return { java, version };
  throw new Error(
    `A local Kafka needs Java ${javaVersionMin} or newer, and ${java} is version "${version}". ${install}`,
  );
}

async function fetchJars(
  pom: string,
  directory: string,
  log: ServerLog,
  signal: AbortSignal,
): Promise<void> {
  log.info({ directory }, 'fetching Kafka with Maven, once; this takes about a minute');
  // Under another name until complete: what a killed process leaves must not look like the jars.
  const unfinished = `${directory}.${process.pid}`;
  await mkdir(unfinished, { recursive: true });
  const goal = [
    '-DincludeScope=runtime',
    `-DoutputDirectory=${unfinished}`,
    'dependency:copy-dependencies',
  ];
  try {
    await run('mvn', ['-q', '-B', '-f', pom, ...goal], {
      timeout: fetchTimeoutMs,
      signal,
      maxBuffer: 16_000_000,
    });
    await rename(unfinished, directory);
  } catch (error) {
    signal.throwIfAborted();
    // Another process was quicker.
    if (['ENOTEMPTY', 'EEXIST'].includes(codeOf(error) ?? '')) return;
    throw new Error(whyNotFetched(error), { cause: error });
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

function whyNotFetched(error: unknown): string {
  if (codeOf(error) === 'ENOENT') {
    return `A local Kafka needs Maven (mvn) to be fetched. Install it (Debian, Ubuntu: apt-get install maven; macOS: brew install maven) ${ownBroker}.`;
  }
  const { stdout = '', message } = error as Error & { stdout?: string };
  return `Maven could not fetch Kafka, ${ownBroker}: ${stdout.trim().split('\n').slice(0, 5).join('\n') || message}`;
}
