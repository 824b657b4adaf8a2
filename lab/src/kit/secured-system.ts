import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import pg from 'pg';
import { freePorts } from './free-ports.ts';
import { freshNames } from './kafka-names.ts';
import { startLocalKafka } from './local-kafka.ts';
import { type LocalPostgres, startLocalPostgres } from './local-postgres.ts';
import { localhostTls } from './localhost-certificate.ts';
import { runScript } from './program.ts';
import { createServiceProcess } from './service-process.ts';
import { startShippingProvider } from './shipping-provider.ts';

export type SecuredSystem = NonNullable<Awaited<ReturnType<typeof startSecuredSystem>>>;

/**
 * Broker, databases with a role for each service that owns nothing, and a provider; the two
 * services with PROFILE=prod, which are not started yet and whose schemas nobody has made. Ends
 * after the tests of the file. Undefined where there is no Kafka to be had.
 */
export async function startSecuredSystem() {
  const directory = await mkdtemp(join(tmpdir(), 'orders-secured-'));
  const closers = [() => rm(directory, { recursive: true, force: true, maxRetries: 5 })];
  const close = async () => {
    for (const closeOne of closers.splice(0).reverse()) await closeOne();
  };
  after(close);
  try {
    return await startParts(directory, closers);
  } catch (error) {
    // The hooks of a file whose own code throws are not run.
    await close();
    throw error;
  }
}

async function startParts(directory: string, closers: (() => Promise<unknown>)[]) {
  const [kafkaPort = 0, orderPort = 0, fulfillmentPort = 0, providerPort = 0] = await freePorts(4);
  const names = freshNames();
  const given = process.env.KAFKA_BOOTSTRAP_SERVERS;
  const own = given ? undefined : await startLocalKafka({ port: kafkaPort, directory });
  const bootstrapServers = given || own?.bootstrapServers;
  if (bootstrapServers === undefined) return undefined;
  closers.push(() => own?.kill() ?? names.deleteTopics(bootstrapServers));
  const databases = await startLocalPostgres(directory);
  closers.push(() => databases.close());
  const provider = await startShippingProvider({
    port: providerPort,
    directory,
    env: { PROFILE: 'local' },
  });
  closers.push(() => provider.kill());

  const keysFile = join(directory, 'keys.json');
  const roles = await createServiceRoles(databases);
  const shared = {
    PROFILE: 'prod',
    API_KEYS_FILE: keysFile,
    ...localhostTls,
    KAFKA_BOOTSTRAP_SERVERS: bootstrapServers,
    ...names.topicVariables,
    // What this machine has no certificates for.
    PLAINTEXT_ACCEPTED: 'kafka,shipping',
  };
  const secret = (name: string, text: string): string => {
    const path = join(directory, name);
    writeFileSync(path, `${text}\n`, { mode: 0o600 });
    return path;
  };
  const orderEnv = {
    ...shared,
    KAFKA_GROUP_ID: names.orderGroup,
    ORDER_SERVICE_PORT: String(orderPort),
    ORDERS_DATABASE_URL_FILE: secret('orders-url', roles.orders),
  };
  const fulfillmentEnv = {
    ...shared,
    KAFKA_GROUP_ID: names.fulfillmentGroup,
    FULFILLMENT_SERVICE_PORT: String(fulfillmentPort),
    FULFILLMENT_DATABASE_URL_FILE: secret('fulfillment-url', roles.fulfillment),
    SHIPPING_BASE_URL: provider.url,
  };
  const service = (script: string, port: number, env: Record<string, string>) => {
    const process = createServiceProcess({
      name: script,
      script,
      port,
      directory,
      env,
      scheme: 'https',
    });
    closers.push(() => process.kill());
    return process;
  };
  return {
    directory,
    databases,
    roles,
    provider,
    orderEnv,
    fulfillmentEnv,
    orderService: service('order-service', orderPort, orderEnv),
    fulfillmentService: service('fulfillment-service', fulfillmentPort, fulfillmentEnv),
    /** Makes an API key as an operator does. */
    async createKey(
      name: string,
      scopes: string,
    ): Promise<{ id: string; key: string; headers: Record<string, string> }> {
      const args = ['create', '--name', name, '--scopes', scopes, '--file', keysFile];
      const { code, output } = await runScript('keys', { directory, env: {}, args });
      const [, key = '', id = ''] = /^(opk_(\w{12})_\S+)$/m.exec(output) ?? [];
      assert.ok(code === 0 && key !== '', output);
      return { id, key, headers: { authorization: `Bearer ${key}` } };
    },
    async revokeKey(id: string): Promise<void> {
      const { code, output } = await runScript('keys', {
        directory,
        env: {},
        args: ['revoke', id, '--file', keysFile],
      });
      assert.equal(code, 0, output);
    },
  };
}

/**
 * A role for each service that may connect to its database and nothing more; the URLs are of these
 * roles.
 */
async function createServiceRoles(
  databases: LocalPostgres,
): Promise<{ orders: string; fulfillment: string }> {
  const administrator = new URL(databases.orders);
  administrator.username = 'postgres';
  administrator.password = readFileSync(join(databases.dataDir, 'postgres-password'), 'utf8');
  administrator.pathname = '/postgres';
  const client = new pg.Client({ connectionString: administrator.href });
  await client.connect();
  const create = async (database: 'orders' | 'fulfillment'): Promise<string> => {
    const url = new URL(databases[database]);
    url.username = `${database}_service`;
    url.password = randomBytes(12).toString('hex');
    await client.query(`CREATE ROLE ${url.username} LOGIN PASSWORD '${url.password}'`);
    await client.query(`GRANT CONNECT ON DATABASE ${database} TO ${url.username}`);
    return url.href;
  };
  try {
    return { orders: await create('orders'), fulfillment: await create('fulfillment') };
  } finally {
    await client.end();
  }
}
