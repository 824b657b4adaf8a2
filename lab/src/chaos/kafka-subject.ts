import { freePorts } from '../kit/free-ports.ts';
import { startLocalKafka } from '../kit/local-kafka.ts';
import { type LocalPostgres, startLocalPostgres } from '../kit/local-postgres.ts';
import { secondClock } from '../kit/odd-clock.ts';
import { createServiceProcess, type ServiceProcess } from '../kit/service-process.ts';
import { startShippingProvider } from '../kit/shipping-provider.ts';
import { brokerNetwork, fulfillmentServices, networkOf, orderServices } from './fault-kinds.ts';
import { type Foundation, startFoundation, throughPort } from './foundation.ts';
import { createLogs } from './kept-logs.ts';
import { readOnlySpell } from './read-only-spell.ts';
import type { RoundPlan } from './round-plan.ts';
import { providerEnv, quickShipping, type Subject } from './subject.ts';
import { brokerVictim, keptPostgresVictim, processVictim } from './victims.ts';

/**
 * Two of each service as processes on one broker, one PostgreSQL server and one provider, with
 * proxies between each instance and its database, each Fulfillment Service and the provider, and in
 * front of the broker. Undefined where there is no Kafka to be had.
 */
export async function startKafkaSubject(plan: RoundPlan): Promise<Subject | undefined> {
  const foundation = await startFoundation();
  const { directory, networks, closers, close } = foundation;
  const logs = createLogs();
  try {
    const [kafkaPort = 0, providerPort = 0] = await freePorts(2);
    const advertisedPort = await foundation.addNetwork(brokerNetwork, kafkaPort);
    const kafka = await startLocalKafka({ port: kafkaPort, advertisedPort, directory });
    if (kafka === undefined) {
      await close();
      return undefined;
    }
    closers.push(() => kafka.kill());
    const databases = await startLocalPostgres(directory);
    closers.push(() => databases.close());
    logs.add('PostgreSQL', databases.program);
    const provider = await startShippingProvider({
      port: providerPort,
      directory,
      env: providerEnv(plan),
    });
    closers.push(() => provider.kill());
    const shared = { ...quickShipping(plan), KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers };
    const services = await createServices({ foundation, databases, providerPort, shared, plan });
    closers.push(() => Promise.all(services.map((service) => service.kill())));
    await Promise.all(services.map((service) => service.start()));
    const victims = new Map([
      ...services.map(
        (service) => [service.name, processVictim(service.name, service, logs)] as const,
      ),
      ['provider', processVictim('provider', provider, logs)],
      ['Kafka', brokerVictim(kafka, logs)],
      ['PostgreSQL', keptPostgresVictim(databases)],
    ]);
    const env = {
      ORDERS_DATABASE_URL: databases.orders,
      FULFILLMENT_DATABASE_URL: databases.fulfillment,
      KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
      SHIPPING_BASE_URL: provider.url,
    };
    const urlsOf = (names: readonly string[]) =>
      services.filter(({ name }) => names.includes(name)).map(({ url }) => url);
    return {
      urls: urlsOf(orderServices),
      fulfillmentUrls: urlsOf(fulfillmentServices),
      readOnlySpell: (ms) => readOnlySpell(databases.orders, databases.dataDir, ms),
      providerUrl: provider.url,
      victims,
      networks,
      env,
      directory,
      logs,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Not started yet. */
async function createServices(parts: {
  foundation: Foundation;
  databases: LocalPostgres;
  providerPort: number;
  shared: Record<string, string>;
  plan: RoundPlan;
}): Promise<ServiceProcess[]> {
  const { foundation, databases, providerPort, shared } = parts;
  const { clock } = parts.plan;
  const clockOf = (name: string) => (clock?.part === name ? secondClock(clock.aheadSeconds) : {});
  const { directory } = foundation;
  const ports = await freePorts(orderServices.length + fulfillmentServices.length);
  const reach = async (name: string, url: string) =>
    throughPort(
      url,
      await foundation.addNetwork(networkOf(name, 'PostgreSQL'), Number(new URL(url).port)),
    );
  const services: ServiceProcess[] = [];
  for (const name of orderServices) {
    const port = ports.pop() ?? 0;
    const own = {
      ORDER_SERVICE_PORT: String(port),
      ORDERS_DATABASE_URL: await reach(name, databases.orders),
    };
    const env = { ...shared, ...own, ...clockOf(name) };
    services.push(createServiceProcess({ name, script: 'order-service', port, directory, env }));
  }
  for (const name of fulfillmentServices) {
    const port = ports.pop() ?? 0;
    const shipping = await foundation.addNetwork(networkOf(name, 'provider'), providerPort);
    const own = {
      FULFILLMENT_SERVICE_PORT: String(port),
      FULFILLMENT_DATABASE_URL: await reach(name, databases.fulfillment),
      SHIPPING_BASE_URL: `http://127.0.0.1:${shipping}`,
    };
    const env = { ...shared, ...own, ...clockOf(name) };
    services.push(
      createServiceProcess({ name, script: 'fulfillment-service', port, directory, env }),
    );
  }
  return services;
}
