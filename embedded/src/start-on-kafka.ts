import { kafkaVariables } from '@orders/platform/kafka/config';
import { type ConfigRules, loadEnvFile, readConfig } from '@orders/platform/process/config';
import { createLog, type Log } from '@orders/platform/process/log';
import { kafkaFaults } from '@orders/platform/process/profile';
import { runProcess } from '@orders/platform/process/run-process';
import { drainSeconds } from '@orders/platform/process/variables';
import Type, { type Static } from 'typebox';
import { EmbeddedConfig, embeddedRules } from './config.ts';
import { startKafka } from './kafka/server.ts';
import { supplyDatabases } from './postgres/supply-databases.ts';
import { lockDataDirectory } from './processes/data-directory.ts';
import { keepRunning } from './processes/keep-running.ts';
import { choosePort } from './processes/server-port.ts';
import { startServiceProcess } from './processes/service-process.ts';
import { kafkaPortVariable } from './variables.ts';

/** What this command reads itself; the services read theirs. */
const StartKafkaConfig = Type.Object({
  ...EmbeddedConfig.properties,
  KAFKA_PORT: kafkaPortVariable,
  KAFKA_BOOTSTRAP_SERVERS: Type.Optional(
    Type.String({ description: 'Where it is set, no broker is started' }),
  ),
  KAFKA_SSL: kafkaVariables.KAFKA_SSL,
  KAFKA_SASL_MECHANISM: kafkaVariables.KAFKA_SASL_MECHANISM,
});
type StartKafkaConfig = Static<typeof StartKafkaConfig>;
const startKafkaRules: ConfigRules<StartKafkaConfig> = (config) => [
  ...embeddedRules(config),
  ...kafkaFaults(config),
];
type Closable = { close(): Promise<void> };

await runProcess(async (signal) => {
  loadEnvFile();
  const config = readConfig(StartKafkaConfig, process.env, startKafkaRules);
  const log = createLog({ service: 'start-kafka', level: config.LOG_LEVEL });
  const system = await startSystem(config, log, signal);
  const { url, fulfillmentServiceUrl, shippingProviderUrl } = system;
  const docs = `${url}/docs`;
  log.info({ url, docs, fulfillmentServiceUrl, shippingProviderUrl }, 'ready');
  return system;
});

/**
 * The composition root of `npm run start:kafka`: broker and PostgreSQL where none is given, then
 * each service as a process of its own. When one part cannot start, those that run are closed and
 * the error is thrown.
 */
async function startSystem(config: StartKafkaConfig, log: Log, signal: AbortSignal) {
  const foundation: Closable[] = [];
  const services: Closable[] = [];
  const drainMs = drainSeconds(config) * 1_000;
  // Services need the foundation until they have drained; among themselves they need no order,
  // Kafka keeps what is not read yet.
  const close = async (): Promise<void> => {
    await Promise.all(services.map((service) => service.close()));
    await Promise.all(foundation.map((part) => part.close()));
  };
  try {
    const lock = await lockDataDirectory(config.DATA_DIR);
    foundation.push({ close: () => lock.release() });
    const [databases, bootstrapServers] = await allOf([
      supplyDatabases(config, log.child({ part: 'postgres' }), signal).then((supplied) => {
        foundation.push(supplied);
        return supplied;
      }),
      supplyKafka(config, log, signal, foundation),
    ]);
    // Read already where they stood in files; a service takes no secret that is given twice.
    const read = { ORDERS_DATABASE_URL_FILE: '', FULFILLMENT_DATABASE_URL_FILE: '' };
    const env = {
      ...process.env,
      ...databases.urls,
      ...read,
      KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
    };
    const run = async (
      name: string,
      portVariable: string,
      port: number,
      extra: NodeJS.ProcessEnv = {},
    ) => {
      const chosen = port === 0 ? await choosePort(undefined) : port;
      const scheme =
        config.TLS_CERT_FILE !== undefined && name !== 'shipping-provider' ? 'https' : 'http';
      const url = `${scheme}://${config.HOST === '0.0.0.0' ? '127.0.0.1' : config.HOST}:${chosen}`;
      const options = { module: `@orders/${name}/main`, url, signal, drainMs };
      const itsEnv = { ...env, ...extra, [portVariable]: String(chosen) };
      services.push(
        await keepRunning(name, log, () => startServiceProcess({ ...options, env: itsEnv })),
      );
      return url;
    };
    const provider =
      config.SHIPPING_BASE_URL ??
      (await run('shipping-provider', 'SHIPPING_PROVIDER_PORT', config.SHIPPING_PROVIDER_PORT, {
        DATA_DIR: config.DATA_DIR,
      }));
    const [url, fulfillmentServiceUrl] = await allOf([
      run('order-service', 'ORDER_SERVICE_PORT', config.ORDER_SERVICE_PORT),
      run('fulfillment-service', 'FULFILLMENT_SERVICE_PORT', config.FULFILLMENT_SERVICE_PORT, {
        SHIPPING_BASE_URL: provider,
      }),
    ]);
    return { url, fulfillmentServiceUrl, shippingProviderUrl: provider, drainMs, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/**
 * As Promise.all, but rejects only when all have settled: what came up beside the one that failed
 * must be closed too.
 */
async function allOf<T extends unknown[]>(
  parts: [...{ [K in keyof T]: Promise<T[K]> }],
): Promise<T> {
  await Promise.allSettled(parts);
  return (await Promise.all(parts)) as T;
}

async function supplyKafka(
  config: StartKafkaConfig,
  log: Log,
  signal: AbortSignal,
  into: Closable[],
): Promise<string> {
  if (config.KAFKA_BOOTSTRAP_SERVERS !== undefined) return config.KAFKA_BOOTSTRAP_SERVERS;
  // The same port for all its lives: the services know no other.
  const port = config.KAFKA_PORT === 0 ? await choosePort(undefined) : config.KAFKA_PORT;
  into.push(
    await keepRunning('kafka', log, () =>
      startKafka({ dataDir: config.DATA_DIR, port, log, signal }),
    ),
  );
  return `127.0.0.1:${port}`;
}
