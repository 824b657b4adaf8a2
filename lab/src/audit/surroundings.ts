import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fulfillmentEventsTopic } from '@orders/contracts/fulfillments/events';
import { orderEventsTopic } from '@orders/contracts/orders/events';
import type { KafkaAccess } from './kafka.ts';
import { AuditError } from './report.ts';
import type { AuditOptions } from './run.ts';

type Env = NodeJS.ProcessEnv;
export type Mode = 'embedded' | 'kafka';
/** Consumer groups of the services, where they are named one by one. */
type Groups = { order?: string | undefined; fulfillment?: string | undefined };

/**
 * Where the system is, from the variables that its services read. What is unset is taken from the
 * files that `npm start` and `npm run start:kafka` leave in DATA_DIR. Without a mode it is kafka
 * where a broker is named or runs there. Throws AuditError, which says what to start or set.
 */
export function findSystem(
  env: Env,
  mode: Mode | undefined,
  groups: Groups = {},
): Pick<AuditOptions, 'ordersUrl' | 'fulfillmentUrl' | 'shippingUrl' | 'kafka'> {
  const dataDir = env.DATA_DIR || '.data';
  const brokers = env.KAFKA_BOOTSTRAP_SERVERS || runningKafka(dataDir);
  const chosen = mode ?? (brokers === undefined ? 'embedded' : 'kafka');
  const shippingUrl =
    env.SHIPPING_BASE_URL || `http://127.0.0.1:${env.SHIPPING_PROVIDER_PORT || 5002}`;
  return {
    ...databases(env, dataDir),
    shippingUrl: shippingUrl.replace(/\/+$/, ''),
    kafka: chosen === 'kafka' ? kafkaAccess(env, brokers ?? '127.0.0.1:9092', groups) : undefined,
  };
}

function databases(env: Env, dataDir: string): { ordersUrl: string; fulfillmentUrl: string } {
  const { ORDERS_DATABASE_URL: orders, FULFILLMENT_DATABASE_URL: fulfillment } = env;
  if (orders && fulfillment) return { ordersUrl: orders, fulfillmentUrl: fulfillment };
  const embedded = readInfo<{ pid: number | null; urls: Record<string, string> }>(
    join(dataDir, 'postgres.json'),
  );
  const ordersUrl = orders || embedded?.urls?.orders;
  const fulfillmentUrl = fulfillment || embedded?.urls?.fulfillment;
  if (!isAlive(embedded?.pid) || ordersUrl === undefined || fulfillmentUrl === undefined) {
    throw new AuditError(
      `There is no running system in ${dataDir}. Start it with "npm start", or set ORDERS_DATABASE_URL and FULFILLMENT_DATABASE_URL.`,
    );
  }
  return { ordersUrl, fulfillmentUrl };
}

function runningKafka(dataDir: string): string | undefined {
  const info = readInfo<{ pid: number; bootstrapServers: string }>(join(dataDir, 'kafka.json'));
  return isAlive(info?.pid) ? info?.bootstrapServers : undefined;
}

/** Undefined where the file is not there; it is being written for a moment at most. */
function readInfo<T>(path: string): Partial<T> | undefined {
  if (!existsSync(path)) return undefined;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Partial<T>;
  } catch (cause) {
    throw new AuditError(`${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function isAlive(pid: number | null | undefined): boolean {
  if (typeof pid !== 'number') return false;
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // alive, and another user's
  }
}

function kafkaAccess(env: Env, brokers: string, groups: Groups): KafkaAccess {
  return {
    connection: { bootstrapBrokers: brokers.split(','), ...tls(env, brokers), ...sasl(env) },
    orderEvents: {
      topic: env.KAFKA_ORDER_EVENTS_TOPIC || orderEventsTopic,
      group: groups.fulfillment ?? (env.KAFKA_GROUP_ID || 'fulfillment-service'),
    },
    fulfillmentEvents: {
      topic: env.KAFKA_FULFILLMENT_EVENTS_TOPIC || fulfillmentEventsTopic,
      group: groups.order ?? (env.KAFKA_GROUP_ID || 'order-service'),
    },
  };
}

function sasl(env: Env): Pick<KafkaAccess['connection'], 'sasl'> {
  const {
    KAFKA_SASL_MECHANISM: mechanism,
    KAFKA_SASL_USERNAME: username,
    KAFKA_SASL_PASSWORD: password,
  } = env;
  if (!mechanism || !username || !password) return {};
  return {
    sasl: {
      mechanism: mechanism as 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512',
      username,
      password,
    },
  };
}

function tls(env: Env, brokers: string): Pick<KafkaAccess['connection'], 'tls' | 'tlsServerName'> {
  if (env.KAFKA_SSL !== 'true') return {};
  const read = (path: string | undefined): string | undefined =>
    path ? readFileSync(path, 'utf8') : undefined;
  const passphrase = env.KAFKA_SSL_KEY_PASSPHRASE;
  const files = {
    ca: read(env.KAFKA_SSL_CA_FILE),
    cert: read(env.KAFKA_SSL_CERT_FILE),
    key: read(env.KAFKA_SSL_KEY_FILE),
  };
  // An address is no name to tell a broker.
  const isNamed = brokers.split(',').every((broker) => !/^[\d.]+:\d+$/.test(broker));
  return {
    tls: { ...files, ...(passphrase && { passphrase }) },
    ...(isNamed && { tlsServerName: true }),
  };
}
