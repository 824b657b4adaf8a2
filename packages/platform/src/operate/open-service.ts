import { type AccessConfig, addAccess } from '../http/access.ts';
import { createHttpServer } from '../http/server.ts';
import { serverTls } from '../http/server-tls.ts';
import type { Broker } from '../messaging/broker.ts';
import { createOutboxStore } from '../messaging/outbox-store.ts';
import { startClockWatch } from '../postgres/clock-watch.ts';
import { createDatabase } from '../postgres/database.ts';
import { observeDatabase } from '../postgres/database-metrics.ts';
import { migrate, requireMigrated } from '../postgres/migrate.ts';
import { retryWhileUnavailable } from '../postgres/wait-for-database.ts';
import { instanceName } from '../process/instance-name.ts';
import type { Log } from '../process/log.ts';
import { createMetrics, type Metrics } from '../process/metrics.ts';

/** What a service is built from. `signal` ends the wait for a database that is away. */
export type ServiceParts<Config> = {
  config: Config;
  broker: Broker;
  log: Log;
  /** Its consumer group. */
  group?: string;
  /** Adds the metrics of what is the caller's, such as its broker. */
  observe?: (metrics: Metrics) => void;
  /** Only where nobody else can have this name; see `instanceName`. */
  instance?: string;
  signal?: AbortSignal;
};

type EntranceConfig = AccessConfig & {
  TLS_KEY_FILE?: string;
  TRUST_PROXY?: string;
  KEEP_ALIVE_SECONDS: number;
};

/**
 * What callers read goes over connections of its own: however many read, and however slowly the
 * database answers them, the work goes on, and it is the readers who get 503 `overloaded`.
 */
const readConnections = 4;

/**
 * Opens what every service stands on: its server (no route and no port yet), its database with the
 * schema up to date, its outbox and metrics. Waits for a database that is away. In `prod` the
 * schema must have been made by `npm run migrate:<name>`. Rejects with ConfigError where a
 * certificate or a file of keys cannot be used, before anything is waited for.
 */
export async function openService(
  about: { name: string; schema: string; migrations: string; url: string; connections: number },
  parts: ServiceParts<EntranceConfig>,
) {
  const { config } = parts;
  const { name, schema, migrations: directory, url, connections } = about;
  const log = parts.log.child({ service: name });
  const app = createHttpServer({
    log,
    tls: serverTls(config),
    trustProxy: config.TRUST_PROXY,
    keepAliveMs: config.KEEP_ALIVE_SECONDS * 1_000,
  });
  await addAccess(app, { config, log });
  const instance = instanceName(parts.instance);
  const database = createDatabase({ url, schema, instance, log, connections });
  const outbox = createOutboxStore(database.beside({ connections: 2, relaxed: true }), instance);
  const reading = database.beside({ connections: readConnections });
  const waiting = { schema, log, ...(parts.signal && { signal: parts.signal }) };
  const migration = { ...waiting, database, directory };
  if (config.PROFILE === 'prod')
    await requireMigrated({ ...migration, command: `npm run migrate:${name}` });
  else await migrate(migration);
  const metrics = createMetrics(name);
  parts.observe?.(metrics);
  const clock = await startClockWatch({ database, metrics, log });
  observeDatabase(metrics, database);
  return {
    app,
    log,
    instance,
    database,
    reading,
    clock,
    outbox,
    metrics,
    /** Repeats the work while the database is away; see `retryWhileUnavailable`. */
    whenAvailable: <T>(work: () => Promise<T>): Promise<T> => retryWhileUnavailable(waiting, work),
  };
}
