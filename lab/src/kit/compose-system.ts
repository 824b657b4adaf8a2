import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { after } from 'node:test';
import { promisify } from 'node:util';
import { afterFailure } from './after-failure.ts';
import { freePorts } from './free-ports.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const repository = join(import.meta.dirname, '../../..');
/** A first build fetches packages and base images. */
const upMs = 1_200_000;
const commandMs = 120_000;

type Service = 'order-service' | 'fulfillment-service';

/**
 * The system of compose.yaml as a project of its own, on ports of its own, beside whatever else
 * runs.
 */
export type ComposeSystem = {
  readonly url: string;
  readonly fulfillmentUrl: string;
  readonly providerUrl: string;
  /** `docker compose …` in this project; resolves to what it wrote to its standard output. */
  compose(...words: string[]): Promise<string>;
  /**
   * Brings every part up with so many instances of both services, and waits until all are healthy.
   */
  scale(orderServices: number, fulfillmentServices: number): Promise<void>;
  /** The running containers of a service. */
  containers(service: Service): Promise<string[]>;
  /** `docker kill`: SIGKILL to all of it, and it stays down. */
  kill(container: string): Promise<void>;
  /**
   * SIGKILL to the service inside; resolves when Docker has started the container again and it is
   * healthy.
   */
  crash(container: string): Promise<void>;
};

/**
 * Builds and starts the system for all tests of the file that calls it and removes it with its
 * volumes after them; where a test fails the ends of all logs are printed. Undefined, with one loud
 * line, where there is no Docker engine; with REQUIRE_DOCKER=1 that is an error. No `.env` is read:
 * `env` holds what compose.yaml is to hand on.
 */
export async function startComposeSystem(
  env: Record<string, string>,
): Promise<ComposeSystem | undefined> {
  const missing = await whatIsMissing();
  if (missing !== undefined) {
    if (process.env.REQUIRE_DOCKER === '1') throw new Error(missing);
    process.stdout.write(`\nSKIPPED, NOTHING IS TESTED HERE: ${missing}\n\n`);
    return undefined;
  }
  const [orderPort = 0, fulfillmentPort = 0, providerPort = 0] = await freePorts(3);
  const project = `orders-test-${process.pid}`;
  const ports = {
    ORDER_SERVICE_PORT: String(orderPort),
    FULFILLMENT_SERVICE_PORT: String(fulfillmentPort),
    SHIPPING_PROVIDER_PORT: String(providerPort),
  };
  const compose = async (...words: string[]): Promise<string> => {
    const args = ['compose', '--project-name', project, '--env-file', '/dev/null', ...words];
    const timeout = words[0] === 'up' ? upMs : commandMs;
    return await docker(args, { timeout, env: { ...dockerEnvironment(), ...ports, ...env } });
  };
  process.stdout.write(
    `containers: if this is cut short, docker compose -p ${project} down -v removes what it leaves\n`,
  );
  const scale = async (orderServices: number, fulfillmentServices: number, ...more: string[]) => {
    const counts = [`order-service=${orderServices}`, `fulfillment-service=${fulfillmentServices}`];
    await compose(
      'up',
      '--detach',
      '--wait',
      ...more,
      ...counts.flatMap((count) => ['--scale', count]),
    );
  };
  const printLogs = async () => {
    process.stderr.write(await compose('logs', '--tail', '15'));
  };
  afterFailure(printLogs);
  after(() => compose('down', '--volumes', '--timeout', '15'));
  try {
    await scale(1, 1, '--build');
  } catch (error) {
    // The hooks of a file whose own code throws are not run.
    await printLogs();
    await compose('down', '--volumes', '--timeout', '15');
    throw error;
  }
  return {
    url: `http://127.0.0.1:${orderPort}`,
    fulfillmentUrl: `http://127.0.0.1:${fulfillmentPort}`,
    providerUrl: `http://127.0.0.1:${providerPort}`,
    compose,
    scale: (orderServices, fulfillmentServices) =>
      scale(orderServices, fulfillmentServices, '--no-recreate'),
    containers: async (service) =>
      (await compose('ps', '--quiet', service)).split('\n').filter((id) => id !== ''),
    kill: async (container) => {
      await docker(['kill', container]);
    },
    crash,
  };
}

async function crash(container: string): Promise<void> {
  const inspect = (format: string) => docker(['inspect', '--format', format, container]);
  const startedAt = await inspect('{{.State.StartedAt}}');
  // To every process but PID 1, which is Docker's init and ends with its child. Whoever sends it is
  // not hit and may be cut off: no matter.
  await docker(['exec', container, 'node', '-e', 'process.kill(-1, "SIGKILL")']).catch(
    (error: Error) => error,
  );
  await until('the container to be started again', 60, async () => {
    const [now = '', health] = (await inspect('{{.State.StartedAt}} {{.State.Health.Status}}'))
      .trim()
      .split(' ');
    return now !== startedAt.trim() && health === 'healthy';
  });
}

async function whatIsMissing(): Promise<string | undefined> {
  try {
    await docker(['compose', 'version']);
    await docker(['version', '--format', '{{.Server.Version}}']);
    return undefined;
  } catch (error) {
    const { stderr = '' } = error as { stderr?: string };
    return `needs a running Docker engine with the compose plugin: ${stderr.trim() || (error as Error).message}`;
  }
}

async function docker(
  args: string[],
  options: { timeout?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<string> {
  const { timeout = commandMs, env = dockerEnvironment() } = options;
  const { stdout } = await run('docker', args, {
    cwd: repository,
    timeout,
    env,
    maxBuffer: 16 * 1024 * 1024,
  });
  return stdout;
}

/**
 * What finds the engine, and nothing else: no setting of the person who runs the tests reaches the
 * services.
 */
function dockerEnvironment(): NodeJS.ProcessEnv {
  const isWanted = (name: string) =>
    /^(?:PATH|HOME|TMPDIR|USER|XDG_.*|DOCKER_.*|BUILDX_.*)$/.test(name);
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => isWanted(name)));
}
