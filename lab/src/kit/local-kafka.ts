import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { type Program, startScript } from './program.ts';
import { until } from './until.ts';

/** One Kafka broker as `npm run kafka` runs it, with its data below a directory of the test. */
export type LocalKafka = {
  readonly bootstrapServers: string;
  readonly program: Program;
  /** Starts it again on the same port and data, and waits for nothing. */
  launch(): void;
  /** @throws when it has ended */
  untilReady(): Promise<void>;
  /** Starts it again on the same port and data, and waits until it is ready. */
  start(): Promise<void>;
  /** To Java and whatever watches it: SIGSTOP lets the broker hang, SIGCONT ends that. */
  signal(signal: NodeJS.Signals): void;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
};

/** The first start of a machine fetches Kafka; later ones take seconds. */
const readySeconds = 240;

/**
 * Starts a broker on the port. Where Java or Maven is missing: undefined and one loud line, or,
 * with REQUIRE_KAFKA=1, an error.
 */
export async function startLocalKafka(options: {
  port: number;
  directory: string;
  /** Where clients reach it, when they come through a proxy. */
  advertisedPort?: number;
}): Promise<LocalKafka | undefined> {
  const { port, directory, advertisedPort = port } = options;
  const dataDir = join(directory, 'broker');
  const env = {
    KAFKA_PORT: String(port),
    KAFKA_ADVERTISED_PORT: String(advertisedPort),
    DATA_DIR: dataDir,
  };
  let program = startScript('kafka', { directory, env });
  const isReady = () => program.lines.some((line) => line.includes('Kafka is ready'));
  const untilReadyOrGone = () =>
    until('the Kafka broker', readySeconds, () => isReady() || program.exit !== undefined);
  const launch = () => {
    program = startScript('kafka', { directory, env });
  };
  const untilReady = async () => {
    await untilReadyOrGone();
    assert.ok(isReady(), `the Kafka broker has ended:\n${program.tail()}`);
  };
  await untilReadyOrGone();
  if (program.exit !== undefined && isMissing(program)) return undefined;
  assert.ok(isReady(), `the Kafka broker has ended:\n${program.tail()}`);
  const signal = (name: NodeJS.Signals) => {
    const { pid } = JSON.parse(readFileSync(join(dataDir, 'kafka.json'), 'utf8')) as {
      pid: number;
    };
    if (program.exit === undefined) sendSignal(-pid, name);
  };
  return {
    bootstrapServers: `127.0.0.1:${advertisedPort}`,
    get program() {
      return program;
    },
    launch,
    untilReady,
    async start() {
      launch();
      await untilReady();
    },
    signal,
    async kill() {
      signal('SIGKILL');
      await program.untilExit(10);
    },
  };
}

function isMissing(program: Program): boolean {
  const said = program.lines.find((line) => /needs (?:Java|Maven)/.test(line));
  if (said === undefined || process.env.REQUIRE_KAFKA === '1') return false;
  process.stderr.write(`\nKAFKA TESTS ARE SKIPPED. ${said}\n\n`);
  return true;
}
