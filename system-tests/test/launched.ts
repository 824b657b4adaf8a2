import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { sendSignal } from '@orders/embedded/processes/process-table';
import { freePorts } from '@orders/lab/kit/free-ports';
import { call } from '@orders/lab/kit/http';
import { until } from '@orders/lab/kit/until';

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'orders-launch-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }));
  return folder;
}

/** A system that is started by a command line, as a person or a script would. */
export type Launched = {
  child: ChildProcess;
  url: string;
  port: number;
  fulfillmentPort: number;
  untilReady(): Promise<void>;
};

/** Starts it on free ports; it is killed, with all that it started, when the test ends. */
export async function launch(
  t: TestContext,
  cwd: string,
  command: string[],
  more: Record<string, string> = {},
): Promise<Launched> {
  const [port = 0, ...others] = await freePorts(3);
  const { PATH = '', HOME = '' } = process.env;
  const env = {
    PATH,
    HOME,
    ORDER_SERVICE_PORT: String(port),
    FULFILLMENT_SERVICE_PORT: String(others[0]),
    SHIPPING_PROVIDER_PORT: String(others[1]),
    DATA_DIR: join(await temporaryFolder(t), 'data'),
    ...more,
  };
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-10_000);
    });
  t.after(() => sendSignal(-(child.pid ?? 0), 'SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const untilReady = async () => {
    await until('the system to be ready', 60, async () => {
      if (child.exitCode !== null) return true;
      return (await call('GET', `${url}/health/ready`, { timeoutMs: 2_000 })).status === 200;
    });
    assert.equal(child.exitCode, null, output);
  };
  return { child, url, port, fulfillmentPort: Number(others[0]), untilReady };
}
