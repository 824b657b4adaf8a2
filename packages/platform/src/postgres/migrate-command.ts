import pg from 'pg';
import type { Log } from '../process/log.ts';
import { createDatabase } from './database.ts';
import { migrate } from './migrate.ts';

/**
 * Brings a schema up to date with the role that owns it (`ownerUrl`), then lets the service's role
 * (the user of `serviceUrl`) read and write its rows and nothing else. Repeating it changes
 * nothing. Rejects when a file fails; waits for a database that is away.
 */
export async function migrateAndGrant(options: {
  schema: string;
  directory: string;
  ownerUrl: string;
  serviceUrl: string;
  log: Log;
  signal?: AbortSignal;
}): Promise<void> {
  const { schema, ownerUrl, serviceUrl, log } = options;
  const database = createDatabase({
    url: ownerUrl,
    schema,
    instance: 'migrate',
    connections: 1,
    log,
  });
  try {
    await migrate({ ...options, database });
    const owner = userOf(ownerUrl);
    const service = userOf(serviceUrl);
    if (owner !== service)
      await database.withConnection((client) => grant(client, schema, service));
    log.info(
      { part: 'database', schema, ownerRole: owner, serviceRole: service },
      'schema is up to date',
    );
  } finally {
    await database.close();
  }
}

async function grant(client: pg.ClientBase, schema: string, service: string): Promise<void> {
  const role = pg.escapeIdentifier(service);
  await client.query(`
    GRANT USAGE ON SCHEMA ${schema} TO ${role};
    GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ${schema} TO ${role};
    REVOKE INSERT, UPDATE, DELETE ON ${schema}.migrations FROM ${role}`);
}

const userOf = (url: string): string => decodeURIComponent(new URL(url).username);
