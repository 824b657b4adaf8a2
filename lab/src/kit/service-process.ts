import assert from 'node:assert/strict';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { call } from './http.ts';
import { type Exit, type Program, startScript } from './program.ts';
import { until } from './until.ts';

/** One instance of a service as a process of its own, on the same port in all its lives. */
export type ServiceProcess = {
  readonly name: string;
  readonly url: string;
  /** Of the present or last life. */
  readonly program: Program;
  readonly starts: number;
  /** Starts it and waits for nothing. */
  launch(): void;
  /** @throws as soon as it has ended */
  untilReady(): Promise<void>;
  /** Starts it and waits until it is ready. */
  start(): Promise<void>;
  /** SIGTERM, and waits for the end. */
  stop(seconds?: number): Promise<Exit>;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
};

/** Not started yet. `script` is its name in package.json. */
export function createServiceProcess(options: {
  name: string;
  script: string;
  port: number;
  directory: string;
  env: Record<string, string>;
  scheme?: 'http' | 'https';
}): ServiceProcess {
  const { name, script, port, directory, env, scheme = 'http' } = options;
  const url = `${scheme}://127.0.0.1:${port}`;
  let program: Program | undefined;
  let starts = 0;
  const current = () => {
    assert.ok(program, `${name} was never started`);
    return program;
  };
  const launch = () => {
    program = startScript(script, { directory, env });
    starts += 1;
  };
  const untilReady = async () => {
    await until(`${name} to be ready`, 60, async () => {
      if (current().exit !== undefined) return true;
      return (await call('GET', `${url}/health/ready`, { timeoutMs: 2_000 })).status === 200;
    });
    assert.equal(
      current().exit,
      undefined,
      `${name} has ended instead of being ready:\n${current().tail()}`,
    );
  };
  return {
    name,
    url,
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
    async stop(seconds = 20) {
      sendSignal(current().pid, 'SIGTERM');
      return await current().untilExit(seconds);
    },
    async kill() {
      program?.signalGroup('SIGKILL');
      await program?.untilExit(10);
    },
  };
}
