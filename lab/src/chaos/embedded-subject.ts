import { sendSignal } from '@orders/embedded/processes/process-table';
import { freePorts } from '../kit/free-ports.ts';
import { type LocalPostgres, startLocalPostgres } from '../kit/local-postgres.ts';
import { databaseUrls } from '../kit/postgres-processes.ts';
import { startShippingProvider } from '../kit/shipping-provider.ts';
import { createSystem, type System } from '../kit/system.ts';
import { everything, networkOf } from './fault-kinds.ts';
import { type Foundation, startFoundation, throughPort } from './foundation.ts';
import { createLogs, type Logs } from './kept-logs.ts';
import { readOnlySpell } from './read-only-spell.ts';
import type { RoundPlan } from './round-plan.ts';
import { providerEnv, quickShipping, type Subject, type Victim } from './subject.ts';
import { assertAlive, keptPostgresVictim, postgresVictim, processVictim } from './victims.ts';

/**
 * `npm start`, a provider of its own behind a proxy, and, where the plan wants it, a PostgreSQL
 * server behind two.
 */
export async function startEmbeddedSubject(plan: RoundPlan): Promise<Subject> {
  const foundation = await startFoundation();
  const { directory, networks, closers, close } = foundation;
  const logs = createLogs();
  try {
    const [providerPort = 0] = await freePorts(1);
    const shipping = await foundation.addNetwork(
      networkOf('fulfillment-service', 'provider'),
      providerPort,
    );
    const provider = await startShippingProvider({
      port: providerPort,
      directory,
      env: providerEnv(plan),
    });
    closers.push(() => provider.kill());
    const server = plan.behindProxies ? await startLocalPostgres(directory) : undefined;
    const env = {
      ...quickShipping(plan),
      SHIPPING_BASE_URL: `http://127.0.0.1:${shipping}`,
      ...(server && (await databasesOf(server, foundation))),
    };
    const system = await createSystem(env);
    closers.push(() => system.remove());
    await system.start(60);
    if (server !== undefined) logs.add('PostgreSQL', server.program);
    const node = systemVictim(system, logs);
    const mock = processVictim('provider', provider, logs);
    const victims = new Map([
      ['system', node],
      [
        'PostgreSQL',
        server === undefined ? postgresVictim(system.dataDir) : keptPostgresVictim(server),
      ],
      ['provider', mock],
      [everything, powerCut(system, node, mock)],
    ]);
    const { dataDir } = server ?? system;
    const databases = databaseUrls(dataDir);
    const directEnv = { ...databases, SHIPPING_BASE_URL: provider.url };
    return {
      urls: [system.url],
      fulfillmentUrls: [system.fulfillmentUrl],
      readOnlySpell: (ms) => readOnlySpell(databases.ORDERS_DATABASE_URL, dataDir, ms),
      providerUrl: provider.url,
      victims,
      networks,
      env: directEnv,
      directory,
      logs,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function databasesOf(
  server: LocalPostgres,
  foundation: Foundation,
): Promise<Record<string, string>> {
  foundation.closers.push(() => server.close());
  const reach = async (service: string, url: string) =>
    throughPort(
      url,
      await foundation.addNetwork(networkOf(service, 'PostgreSQL'), Number(new URL(url).port)),
    );
  return {
    ORDERS_DATABASE_URL: await reach('order-service', server.orders),
    FULFILLMENT_DATABASE_URL: await reach('fulfillment-service', server.fulfillment),
  };
}

/** The Node process of `npm start`; its PostgreSQL server goes on, and the next life ends it. */
function systemVictim(system: System, logs: Logs): Victim {
  logs.add('system', system.program);
  return {
    async kill() {
      assertAlive('system', system.program);
      await system.kill('node');
    },
    launch() {
      system.launch();
      logs.add('system', system.program);
    },
    async untilReady() {
      await system.untilReady(60);
    },
    signal: (signal) => sendSignal(system.program.pid, signal),
    pid: () => system.program.pid,
  };
}

/** Everything at once: Node, its PostgreSQL, the provider. */
function powerCut(system: System, node: Victim, provider: Victim): Victim {
  return {
    async kill() {
      assertAlive('system', system.program);
      await Promise.all([system.kill('everything'), provider.kill()]);
    },
    launch() {
      node.launch();
      provider.launch();
    },
    async untilReady() {
      await Promise.all([node.untilReady(), provider.untilReady()]);
    },
    signal() {
      throw new Error('a power cut cannot pause');
    },
  };
}
