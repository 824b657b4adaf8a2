import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { type Program, startScript } from './program.ts';
import { createRestartable, type Restartable } from './restartable.ts';

/** One Kafka broker as `npm run kafka` runs it, with its data below a directory of the test. */
export type LocalKafka = Restartable & {
  readonly bootstrapServers: string;
  /** To Java and whatever watches it: SIGSTOP lets the broker hang, SIGCONT ends that. */
  signal(signal: NodeJS.Signals): void;
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
  const broker = createRestartable({
    name: 'the Kafka broker',
    begin: () => startScript('kafka', { directory, env }),
    isReady: ({ lines }) => lines.some((line) => line.includes('Kafka is ready')),
    readySeconds,
  });
  try {
    await broker.start();
  } catch (error) {
    if (broker.program.exit !== undefined && isMissing(broker.program)) return undefined;
    throw error;
  }
  const signal = (name: NodeJS.Signals) => {
    const { pid } = JSON.parse(readFileSync(join(dataDir, 'kafka.json'), 'utf8')) as {
      pid: number;
    };
    if (broker.program.exit === undefined) sendSignal(-pid, name);
  };
  return Object.assign(broker, {
    bootstrapServers: `127.0.0.1:${advertisedPort}`,
    signal,
    async kill() {
      signal('SIGKILL');
      await broker.program.untilExit(10);
    },
  });
}

function isMissing(program: Program): boolean {
  const said = program.lines.find((line) => /needs (?:Java|Maven)/.test(line));
  if (said === undefined || process.env.REQUIRE_KAFKA === '1') return false;
  process.stderr.write(`\nKAFKA TESTS ARE SKIPPED. ${said}\n\n`);
  return true;
}
