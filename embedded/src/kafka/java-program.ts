import { execFile } from 'node:child_process';
import { open, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type BoundChild, spawnBound } from '../processes/bound-child.ts';
import { holdsWithin } from '../processes/bounded-wait.ts';
import { pathExists } from '../processes/path-exists.ts';
import type { KafkaLibraries } from './libraries.ts';

const run = promisify(execFile);
const jvmOptions = join(import.meta.dirname, '../../../deploy/kafka/jvm.options');
/** 4 s on an idle machine; a busy one is slow, and after a crash the logs are read again. */
const readyWithinMs = 120_000;
/** An orderly end takes 1 to 3 s, the first one longer: it writes the archive of classes. */
const stopWithinMs = 30_000;

/** A server in Java; its log is `<dataDir>/<name>.log`. */
export type JavaProgram = {
  name: string;
  libraries: KafkaLibraries;
  mainClass: string;
  /** What its log says when it serves. */
  ready: string;
  /** Path of its settings. */
  config: string;
  dataDir: string;
};

/** One life of it. */
export type RunningJava = {
  /** Of its process group: `-pid` reaches Java. */
  pid: number;
  /** Resolves, with words for the log, when it is gone. Never rejects. */
  exited: Promise<string>;
  /** Ends it in good order; within 30 s. May be called twice. */
  close(): Promise<void>;
};

/**
 * Starts a server that ends with this process at the latest; resolves when it serves, within 2 min.
 * @throws Error with the end of its log; AbortError. It does not run then.
 */
export async function startJava(program: JavaProgram, signal: AbortSignal): Promise<RunningJava> {
  const { name, libraries, mainClass, dataDir } = program;
  const archive = join(libraries.directory, `${mainClass}-${libraries.javaVersion}.jsa`);
  const isArchived = await pathExists(archive);
  // Java writes it at its orderly end; under another name, as two may do so at once.
  const fresh = `${archive}.${process.pid}`;
  const classes = isArchived
    ? [`-XX:SharedArchiveFile=${archive}`]
    : [`-XX:ArchiveClassesAtExit=${fresh}`];
  const { java, classPath } = libraries;
  const command = [java, `@${jvmOptions}`, ...classes, '-cp', classPath, mainClass, program.config];
  const logFile = join(dataDir, `${name}.log`);
  const file = await open(logFile, 'w');
  let child: BoundChild;
  try {
    child = spawnBound(command, {
      env: { PATH: process.env.PATH, LC_ALL: 'C' },
      cwd: dataDir,
      output: file.fd,
    });
  } finally {
    await file.close();
  }
  await untilReady(child, program, logFile, signal);
  const end = async (): Promise<void> => {
    await child.stop(stopWithinMs);
    if (!isArchived && (await pathExists(fresh))) await rename(fresh, archive);
  };
  let ended: Promise<void> | undefined;
  return {
    pid: child.pid,
    exited: child.exited,
    close() {
      ended ??= end();
      return ended;
    },
  };
}

/** Runs a command in Java to its end. Rejects as execFile does. */
export async function runJava(
  { java, classPath }: KafkaLibraries,
  args: string[],
  bounds: { timeout: number; signal: AbortSignal },
): Promise<void> {
  await run(java, [`@${jvmOptions}`, '-cp', classPath, ...args], bounds);
}

/** Writes the templates, one after the other, with a value for each `${NAME}` outside comments. */
export async function writeSettings(
  path: string,
  templates: string[],
  values: Record<string, string>,
): Promise<void> {
  const text = (await Promise.all(templates.map((template) => readFile(template, 'utf8')))).join(
    '\n',
  );
  const filled = (_: string, name: string): string => (values[name] ?? '').replaceAll('\\', '\\\\');
  await writeFile(
    path,
    text.replaceAll(/^[^#].*$/gm, (line) => line.replaceAll(/\$\{(\w+)\}/g, filled)),
  );
}

async function untilReady(
  child: BoundChild,
  { name, ready }: JavaProgram,
  logFile: string,
  signal: AbortSignal,
): Promise<void> {
  let end: string | undefined;
  void child.exited.then((how) => {
    end = how;
  });
  const isReady = async (): Promise<boolean> =>
    end !== undefined || (await readFile(logFile, 'utf8')).includes(ready);
  try {
    const inTime = await holdsWithin(readyWithinMs, isReady, { everyMs: 100, signal });
    if (inTime && end === undefined) return;
    const lines = (await readFile(logFile, 'utf8')).trimEnd().split('\n').slice(-15).join('\n');
    throw new Error(
      `${name} did not start: ${end ?? `not ready after ${readyWithinMs} ms`}; its log says:\n${lines}`,
    );
  } catch (error) {
    await child.stop(0);
    throw error;
  }
}
