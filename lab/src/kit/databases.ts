import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import pg from 'pg';

export type Sql = (text: string, values?: unknown[]) => Promise<void>;

/** Where the embedded databases of a system are, from the file that it leaves for operators. */
export function databaseUrls(dataDir: string): { orders: string; fulfillment: string } {
  return (
    JSON.parse(readFileSync(join(dataDir, 'postgres.json'), 'utf8')) as { urls: DatabaseUrls }
  ).urls;
}
type DatabaseUrls = ReturnType<typeof databaseUrls>;

/** The hand that breaks things: runs statements on a service's schema. */
export async function connectTo(t: TestContext, url: string, schema: string): Promise<Sql> {
  const client = new pg.Client({
    connectionString: url,
    options: `-c search_path=${schema}`,
    query_timeout: 60_000,
  });
  await client.connect();
  t.after(() => client.end());
  return async (text, values = []) => void (await client.query(text, values));
}
