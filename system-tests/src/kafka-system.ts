import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach } from 'node:test';
import { freePorts } from './free-ports.ts';
import { type LocalKafka, startLocalKafka } from './local-kafka.ts';
import { type LocalPostgres, startLocalPostgres } from './local-postgres.ts';
import { createServiceProcess, type ServiceProcess } from './service-process.ts';
import { type ShippingProvider, startShippingProvider } from './shipping-provider.ts';

/** The distributed system: a real broker, one PostgreSQL server, a mock provider, and every service as processes of its own. */
export type KafkaSystem = {
  readonly kafka: LocalKafka;
  readonly databases: LocalPostgres;
  readonly provider: ShippingProvider;
  readonly orderServices: ServiceProcess[];
  readonly fulfillmentServices: ServiceProcess[];
  /** All instances of both. */
  readonly services: ServiceProcess[];
  /** Of the order services; the first one is `url`. */
  readonly urls: string[];
  readonly url: string;
};

type Options = {
  orderServices?: number;
  fulfillmentServices?: number;
  /** Added to the environment of every service. */
  env?: Record<string, string>;
  providerEnv?: Record<string, string>;
};

/**
 * Starts a system for all tests of the file that calls it and ends it after them; where a test fails, the ends of all logs are printed.
 * Undefined where there is no Kafka to be had: see `startLocalKafka`.
 */
export async function startKafkaSystem(options: Options = {}): Promise<KafkaSystem | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'orders-kafka-system-'));
  const closers: (() => Promise<unknown>)[] = [() => rm(directory, { recursive: true, force: true, maxRetries: 5 })];
  const close = async () => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };
  try {
    const system = await startParts(directory, options, closers);
    afterEach((context) => {
      if (!('passed' in context && context.passed === true) && system !== undefined) tell(system);
    });
    after(close);
    return system;
  } catch (error) {
    // The hooks of a file whose own code throws are not run.
    await close();
    throw error;
  }
}

async function startParts(directory: string, options: Options, closers: (() => Promise<unknown>)[]) {
  const { orderServices: orderCount = 1, fulfillmentServices: fulfillmentCount = 1, env = {}, providerEnv } = options;
  const [kafkaPort = 0, providerPort = 0, ...ports] = await freePorts(2 + orderCount + fulfillmentCount);
  const kafka = await startLocalKafka({ port: kafkaPort, directory });
  if (kafka === undefined) return undefined;
  closers.push(() => kafka.kill());
  const databases = await startLocalPostgres(directory);
  closers.push(() => databases.close());
  const provider = await startShippingProvider({
    port: providerPort,
    directory,
    ...(providerEnv && { env: providerEnv }),
  });
  closers.push(() => provider.kill());
  const shared = { KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers, ...env };
  const orderServices = ports
    .slice(0, orderCount)
    .map((port, n) => orderService(n, port, directory, databases, shared));
  const shipping = { SHIPPING_BASE_URL: provider.url, ...shared };
  const fulfillmentServices = ports
    .slice(orderCount)
    .map((port, n) => fulfillmentService(n, port, directory, databases, shipping));
  const services = [...orderServices, ...fulfillmentServices];
  closers.push(() => Promise.all(services.map((service) => service.kill())));
  await Promise.all(services.map((service) => service.start()));
  const urls = orderServices.map(({ url }) => url);
  return { kafka, databases, provider, orderServices, fulfillmentServices, services, urls, url: urls[0] ?? '' };
}

type Env = Record<string, string>;

const orderService = (n: number, port: number, directory: string, { orders }: LocalPostgres, env: Env) =>
  createServiceProcess({
    name: `order-service ${n + 1}`,
    script: 'order-service',
    port,
    directory,
    env: { ORDER_SERVICE_PORT: String(port), ORDERS_DATABASE_URL: orders, ...env },
  });

const fulfillmentService = (n: number, port: number, directory: string, { fulfillment }: LocalPostgres, env: Env) =>
  createServiceProcess({
    name: `fulfillment-service ${n + 1}`,
    script: 'fulfillment-service',
    port,
    directory,
    env: { FULFILLMENT_SERVICE_PORT: String(port), FULFILLMENT_DATABASE_URL: fulfillment, ...env },
  });

export const skipWithout = (system: unknown) =>
  system === undefined ? { skip: 'there is no Kafka broker' } : { timeout: 1_800_000 };

function tell({ services, kafka }: KafkaSystem): void {
  for (const { name, program } of services)
    process.stderr.write(`the last log lines of ${name}:\n${program.tail(12)}\n`);
  process.stderr.write(`the last log lines of the broker's process:\n${kafka.program.tail(5)}\n`);
}
