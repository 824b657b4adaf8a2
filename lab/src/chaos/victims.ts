import assert from 'node:assert/strict';
import { sendSignal } from '@orders/embedded/processes/process-table';
import type { LocalKafka } from '../kit/local-kafka.ts';
import type { LocalPostgres } from '../kit/local-postgres.ts';
import { killAll, livingPostmaster, postgresProcesses } from '../kit/postgres-processes.ts';
import type { Program } from '../kit/program.ts';
import type { Restartable } from '../kit/restartable.ts';
import { until } from '../kit/until.ts';
import type { Logs } from './kept-logs.ts';
import type { Victim } from './subject.ts';

/** Nothing may end by itself: only what we killed do we start again. */
export function assertAlive(name: string, { exit, tail }: Program): void {
  assert.equal(
    exit,
    undefined,
    `${name} has ended by itself (${JSON.stringify(exit)}):\n${tail()}`,
  );
}

export function processVictim(name: string, service: Restartable, logs: Logs): Victim {
  logs.add(name, service.program);
  return {
    async kill() {
      assertAlive(name, service.program);
      await service.kill();
    },
    launch() {
      service.launch();
      logs.add(name, service.program);
    },
    untilReady: () => service.untilReady(),
    signal: (signal) => sendSignal(service.program.pid, signal),
    pid: () => service.program.pid,
  };
}

/**
 * A server that something else starts again: `npm start`, or the program that only runs PostgreSQL.
 */
export function postgresVictim(dataDir: string): Victim {
  let paused: number[] = [];
  const untilReady = async () => {
    await until('PostgreSQL to be back', 60, () => livingPostmaster(dataDir) !== undefined);
  };
  return {
    async kill() {
      await untilReady();
      await killAll(postgresProcesses(dataDir));
    },
    launch: () => undefined,
    untilReady,
    signal(signal) {
      // The server first, so that no backend comes while they are stopped; the same ones go on.
      if (signal === 'SIGSTOP') paused = postgresProcesses(dataDir).map(({ pid }) => pid);
      for (const pid of paused) sendSignal(pid, signal);
    },
  };
}

export function keptPostgresVictim(server: LocalPostgres): Victim {
  const victim = postgresVictim(server.dataDir);
  return {
    ...victim,
    async untilReady() {
      assertAlive('PostgreSQL', server.program);
      await victim.untilReady();
    },
  };
}

export function brokerVictim(kafka: LocalKafka, logs: Logs): Victim {
  logs.add('Kafka', kafka.program);
  return {
    async kill() {
      // Until it is ready nobody knows the pid of this life.
      await kafka.untilReady();
      assertAlive('Kafka', kafka.program);
      await kafka.kill();
    },
    launch() {
      kafka.launch();
      logs.add('Kafka', kafka.program);
    },
    untilReady: () => kafka.untilReady(),
    signal: (signal) => kafka.signal(signal),
  };
}
