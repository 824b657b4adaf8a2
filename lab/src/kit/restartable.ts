import assert from 'node:assert/strict';
import type { Program } from './program.ts';
import { until } from './until.ts';

/** A program of which a test starts one life after another, on the same port and data. */
export type Restartable = {
  /** Of the present or last life. @throws when it was never started */
  readonly program: Program;
  readonly starts: number;
  /** Starts it and waits for nothing. */
  launch(): void;
  /** @throws when it has ended instead, or after its time */
  untilReady(): Promise<void>;
  /** Starts it and waits until it is ready. */
  start(): Promise<void>;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
};

/** Not started yet. */
export function createRestartable(options: {
  name: string;
  begin: () => Program;
  isReady: (program: Program) => boolean | Promise<boolean>;
  readySeconds: number;
}): Restartable {
  const { name, begin, isReady, readySeconds } = options;
  let program: Program | undefined;
  let starts = 0;
  const current = () => {
    assert.ok(program, `${name} was never started`);
    return program;
  };
  const launch = () => {
    program = begin();
    starts += 1;
  };
  const untilReady = async () => {
    await until(`${name} to be ready`, readySeconds, async () => {
      return current().exit !== undefined || (await isReady(current()));
    });
    const { exit, tail } = current();
    assert.equal(exit, undefined, `${name} has ended instead of being ready:\n${tail()}`);
  };
  return {
    get program() {
      return current();
    },
    get starts() {
      return starts;
    },
    launch,
    untilReady,
    async start() {
      launch();
      await untilReady();
    },
    async kill() {
      program?.signalGroup('SIGKILL');
      await program?.untilExit(10);
    },
  };
}
