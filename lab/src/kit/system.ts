import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type LivingProcess,
  livingProcesses,
  sendSignal,
} from '@orders/embedded/processes/process-table';
import { freePorts } from './free-ports.ts';
import { call } from './http.ts';
import { isPostgres, killAll, livingPostmaster } from './postgres-processes.ts';
import { treeOf } from './process-table.ts';
import { type Exit, type Program, startProgram } from './program.ts';
import { until } from './until.ts';

/**
 * node: the Node process alone. postgres: the PostgreSQL server with its backends. everything: both
 * at once, as a power cut would.
 */
type Part = 'node' | 'postgres' | 'everything';

/** The whole system as `npm start` runs it, on free ports and a directory of its own. */
export type System = {
  readonly url: string;
  readonly fulfillmentUrl: string;
  /**
   * Of the mock that `npm start` brings along; nobody answers there where SHIPPING_BASE_URL is set.
   */
  readonly providerUrl: string;
  readonly ports: readonly number[];
  /** Exists already, for whatever belongs to the same test; `dataDir` lies below it. */
  readonly directory: string;
  readonly dataDir: string;
  /** The process of the last launch. */
  readonly program: Program;
  /** The end of the log since the last launch. */
  tail(): string;
  /** Starts it and waits for nothing. */
  launch(): void;
  /**
   * Waits until the order service is ready and gives the milliseconds since the launch. @throws as
   * soon as the process has ended
   */
  untilReady(seconds?: number): Promise<number>;
  start(seconds?: number): Promise<number>;
  /**
   * Asks it to end and waits for the end. SIGINT goes to the whole group, as from a terminal,
   * SIGTERM to the Node process.
   */
  stop(signal?: 'SIGINT' | 'SIGTERM', seconds?: number): Promise<Exit & { ms: number }>;
  /** kill -9, and waits until they are gone. */
  kill(part: Part): Promise<void>;
  postmaster(): LivingProcess | undefined;
  /** What lives of it now: Node, PostgreSQL and all their children. */
  processes(): LivingProcess[];
  /** Kills what still lives and deletes the directory. */
  remove(): Promise<void>;
};

/**
 * Builds a system that is not started yet; `env` is added to its environment. The caller must
 * `remove` it.
 */
export async function createSystem(env: Record<string, string> = {}): Promise<System> {
  const directory = await mkdtemp(join(tmpdir(), 'orders-system-'));
  const dataDir = env.DATA_DIR ?? join(directory, 'data');
  const ports = await freePorts(3);
  const [url = '', fulfillmentUrl = '', providerUrl = ''] = ports.map(
    (port) => `http://127.0.0.1:${port}`,
  );
  const settings = {
    ORDER_SERVICE_PORT: String(ports[0]),
    FULFILLMENT_SERVICE_PORT: String(ports[1]),
    SHIPPING_PROVIDER_PORT: String(ports[2]),
    DATA_DIR: dataDir,
    ...env,
  };
  let program: Program | undefined;
  let launchedAt = 0;
  const current = () => {
    assert.ok(program, 'the system was never launched');
    return program;
  };
  const launch = () => {
    launchedAt = performance.now();
    program = startProgram('embedded/src/main.ts', { directory, env: settings });
  };
  const untilReady = async (seconds = 30) => {
    await until('the system to be ready', seconds, async () => {
      if (current().exit !== undefined) return true;
      return (await call('GET', `${url}/health/ready`, { timeoutMs: 2_000 })).status === 200;
    });
    assert.equal(
      current().exit,
      undefined,
      `the system has ended instead of being ready:\n${current().tail()}`,
    );
    return performance.now() - launchedAt;
  };
  const postmaster = () => livingPostmaster(dataDir);
  const processes = () => {
    const table = livingProcesses();
    const node = program?.exit === undefined ? program?.pid : undefined;
    return [node, postmaster()?.pid].flatMap((pid) =>
      pid === undefined ? [] : treeOf(pid, table),
    );
  };
  const kill = async (part: Part) => {
    const victims = () =>
      processes().filter(
        ({ name }) => part === 'everything' || isPostgres(name) === (part === 'postgres'),
      );
    await killAll(part === 'node' ? treeOf(current().pid).slice(0, 1) : victims());
    // A server that Node was just about to start, or that it has started again since.
    if (part === 'everything')
      await until('everything to be gone', 10, () =>
        killAll(victims()).then(() => victims().length === 0),
      );
    if (part !== 'postgres') await current().untilExit(10);
  };
  const killAtExit = () => processes().forEach(({ pid }) => void sendSignal(pid, 'SIGKILL'));
  process.once('exit', killAtExit);
  return {
    url,
    fulfillmentUrl,
    providerUrl,
    ports,
    directory,
    dataDir,
    get program() {
      return current();
    },
    tail: () => program?.tail() ?? '',
    launch,
    untilReady,
    start: async (seconds) => {
      launch();
      return await untilReady(seconds);
    },
    stop: async (signal = 'SIGTERM', seconds = 20) => {
      const begun = performance.now();
      if (signal === 'SIGINT') current().signalGroup(signal);
      else sendSignal(current().pid, signal);
      return { ...(await current().untilExit(seconds)), ms: performance.now() - begun };
    },
    kill,
    postmaster,
    processes,
    remove: async () => {
      process.off('exit', killAtExit);
      if (program !== undefined) await kill('everything');
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
