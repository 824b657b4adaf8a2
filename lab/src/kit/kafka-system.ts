import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { afterFailure } from './after-failure.ts';
import { freePorts } from './free-ports.ts';
import { freshNames, type KafkaNames } from './kafka-names.ts';
import { type LocalKafka, startLocalKafka } from './local-kafka.ts';
import { type LocalPostgres, startLocalPostgres } from './local-postgres.ts';
import { createServiceProcess, type ServiceProcess } from './service-process.ts';
import { type ShippingProvider, startShippingProvider } from './shipping-provider.ts';

/** A broker that others may use too: it is never stopped. */
type GivenKafka = { readonly bootstrapServers: string };

/**
 * The distributed system: a real broker, one PostgreSQL server, a mock provider, and every service
 * as processes of its own.
 */
export type KafkaSystem<Kafka extends GivenKafka = GivenKafka> = {
  readonly kafka: Kafka;
  readonly names: KafkaNames;
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

type Closers = (() => Promise<unknown>)[];
type StartBroker<Kafka> = (
  directory: string,
  names: KafkaNames,
  closers: Closers,
) => Promise<Kafka | undefined>;

/**
 * Starts a system for all tests of the file that calls it and ends it after them; where a test
 * fails, the ends of all logs are printed. Its broker is that of `KAFKA_BOOTSTRAP_SERVERS`, or else
 * one of its own. Undefined where there is no Kafka to be had: see `startLocalKafka`.
 */
export function startKafkaSystem(options: Options = {}): Promise<KafkaSystem | undefined> {
  const bootstrapServers = process.env.KAFKA_BOOTSTRAP_SERVERS;
  if (!bootstrapServers) return startSystem<GivenKafka>(options, startOwnBroker);
  return startSystem<GivenKafka>(options, async (_directory, names, closers) => {
    closers.push(() => names.deleteTopics(bootstrapServers));
    return { bootstrapServers };
  });
}

/** The same with a broker that the tests may kill, whatever `KAFKA_BOOTSTRAP_SERVERS` says. */
export function startKafkaSystemWithBroker(
  options: Options = {},
): Promise<KafkaSystem<LocalKafka> | undefined> {
  return startSystem(options, startOwnBroker);
}

async function startOwnBroker(
  directory: string,
  _names: KafkaNames,
  closers: Closers,
): Promise<LocalKafka | undefined> {
  const [port = 0] = await freePorts(1);
  const kafka = await startLocalKafka({ port, directory });
  if (kafka !== undefined) closers.push(() => kafka.kill());
  return kafka;
}

async function startSystem<Kafka extends GivenKafka>(
  options: Options,
  startBroker: StartBroker<Kafka>,
) {
  const directory = await mkdtemp(join(tmpdir(), 'orders-kafka-system-'));
  const closers: Closers = [() => rm(directory, { recursive: true, force: true, maxRetries: 5 })];
  const close = async () => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };
  try {
    const names = freshNames();
    const kafka = await startBroker(directory, names, closers);
    const system = kafka && (await startParts({ kafka, names, directory }, options, closers));
    if (system !== undefined) afterFailure(() => printLogs(system));
    after(close);
    return system;
  } catch (error) {
    // The hooks of a file whose own code throws are not run.
    await close();
    throw error;
  }
}

async function startParts<Kafka extends GivenKafka>(
  { kafka, names, directory }: { kafka: Kafka; names: KafkaNames; directory: string },
  options: Options,
  closers: Closers,
): Promise<KafkaSystem<Kafka>> {
  const {
    orderServices: orderCount = 1,
    fulfillmentServices: fulfillmentCount = 1,
    env = {},
    providerEnv,
  } = options;
  const [providerPort = 0, ...ports] = await freePorts(1 + orderCount + fulfillmentCount);
  const databases = await startLocalPostgres(directory);
  closers.push(() => databases.close());
  const provider = await startShippingProvider({
    port: providerPort,
    directory,
    ...(providerEnv && { env: providerEnv }),
  });
  closers.push(() => provider.kill());
  const shared = {
    KAFKA_BOOTSTRAP_SERVERS: kafka.bootstrapServers,
    ...names.topicVariables,
    ...env,
  };
  const orderServices = ports
    .slice(0, orderCount)
    .map((port, n) =>
      orderService(n, port, directory, databases, { KAFKA_GROUP_ID: names.orderGroup, ...shared }),
    );
  const shipping = {
    KAFKA_GROUP_ID: names.fulfillmentGroup,
    SHIPPING_BASE_URL: provider.url,
    ...shared,
  };
  const fulfillmentServices = ports
    .slice(orderCount)
    .map((port, n) => fulfillmentService(n, port, directory, databases, shipping));
  const services = [...orderServices, ...fulfillmentServices];
  closers.push(() => Promise.all(services.map((service) => service.kill())));
  await Promise.all(services.map((service) => service.start()));
  const urls = orderServices.map(({ url }) => url);
  return {
    kafka,
    names,
    databases,
    provider,
    orderServices,
    fulfillmentServices,
    services,
    urls,
    url: urls[0] ?? '',
  };
}

type Env = Record<string, string>;

const orderService = (
  n: number,
  port: number,
  directory: string,
  { orders }: LocalPostgres,
  env: Env,
) =>
  createServiceProcess({
    name: `order-service ${n + 1}`,
    script: 'order-service',
    port,
    directory,
    env: { ORDER_SERVICE_PORT: String(port), ORDERS_DATABASE_URL: orders, ...env },
  });

const fulfillmentService = (
  n: number,
  port: number,
  directory: string,
  { fulfillment }: LocalPostgres,
  env: Env,
) =>
  createServiceProcess({
    name: `fulfillment-service ${n + 1}`,
    script: 'fulfillment-service',
    port,
    directory,
    env: { FULFILLMENT_SERVICE_PORT: String(port), FULFILLMENT_DATABASE_URL: fulfillment, ...env },
  });

export const skipWithout = (system: unknown) =>
  system === undefined ? { skip: 'there is no Kafka broker' } : { timeout: 1_800_000 };

function printLogs({ services, kafka }: KafkaSystem<GivenKafka | LocalKafka>): void {
  for (const { name, program } of services)
    process.stderr.write(`the last log lines of ${name}:\n${program.tail(12)}\n`);
  if ('program' in kafka)
    process.stderr.write(`the last log lines of the broker's process:\n${kafka.program.tail(5)}\n`);
}
