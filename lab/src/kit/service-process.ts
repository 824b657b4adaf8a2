import { sendSignal } from '@orders/embedded/processes/process-table';
import { call } from './http.ts';
import { type Exit, startScript } from './program.ts';
import { createRestartable, type Restartable } from './restartable.ts';

/** One instance of a service as a process of its own. */
export type ServiceProcess = Restartable & {
  readonly name: string;
  readonly url: string;
  /** SIGTERM, and waits for the end. */
  stop(seconds?: number): Promise<Exit>;
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
  const process = createRestartable({
    name,
    begin: () => startScript(script, { directory, env }),
    isReady: async () =>
      (await call('GET', `${url}/health/ready`, { timeoutMs: 2_000 })).status === 200,
    readySeconds: 60,
  });
  return Object.assign(process, {
    name,
    url,
    async stop(seconds = 20) {
      sendSignal(process.program.pid, 'SIGTERM');
      return await process.program.untilExit(seconds);
    },
  });
}
