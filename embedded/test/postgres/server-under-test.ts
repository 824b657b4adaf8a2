import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import pg from 'pg';
import { endLeftoverServer } from '../../src/postgres/leftover-server.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/postgres/server.ts';
import { holdsWithin } from '../../src/processes/bounded-wait.ts';

type LogLine = { level: string; message: string; fields: Record<string, unknown> };

const quiet = { info: () => undefined, warn: () => undefined };

type StartOptions = {
  databases?: string[];
  settings?: Record<string, string>;
  signal?: AbortSignal;
};

export type Place = {
  dataDir: string;
  start(options?: StartOptions): Promise<EmbeddedPostgres & { lines: LogLine[] }>;
  /** A Node process that holds the lock of the directory and runs the server in it. */
  spawnOwner(env?: Record<string, string>): ChildProcess;
};

/**
 * A place for a server, not made yet. At the end whatever was started in it is ended, then it is
 * removed.
 */
export async function temporaryPlace(t: TestContext): Promise<Place> {
  const parent = await mkdtemp(join(tmpdir(), 'orders-postgres-'));
  const dataDir = join(parent, 'data');
  const enders: (() => Promise<void>)[] = [];
  t.after(async () => {
    for (const end of enders.reverse()) await end();
    await endLeftoverServer(join(dataDir, 'postgres'), quiet, AbortSignal.timeout(60_000));
    await rm(parent, { recursive: true, force: true, maxRetries: 5 });
  });
  return {
    dataDir,
    async start(options = {}) {
      const lines: LogLine[] = [];
      const at = (level: string) => (fields: object, message: string) => {
        lines.push({ level, message, fields: { ...fields } });
      };
      const log = { info: at('info'), warn: at('warn') };
      const server = await startEmbeddedPostgres({
        dataDir,
        databases: ['orders'],
        log,
        ...options,
      });
      enders.push(() => server.close());
      return Object.defineProperty(server, 'lines', { value: lines }) as EmbeddedPostgres & {
        lines: LogLine[];
      };
    },
    spawnOwner(env = {}) {
      const owner = spawn(
        process.execPath,
        [join(import.meta.dirname, 'fixture-owner.ts'), dataDir],
        {
          env: { ...process.env, ...env },
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      enders.push(() => killed(owner));
      return owner;
    },
  };
}

export async function untilOwnerReady(
  owner: ChildProcess,
): Promise<{ serverPid: number; url: string }> {
  assert.ok(owner.stdout);
  const lines = createInterface(owner.stdout);
  const died = once(owner, 'exit').then(([code]) =>
    assert.fail(`the owner ended with exit code ${code}`),
  );
  const [line] = await Promise.race([
    once(lines, 'line', { signal: AbortSignal.timeout(60_000) }),
    died,
  ]);
  return JSON.parse(line);
}

export async function killed(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit', { signal: AbortSignal.timeout(10_000) });
  child.kill('SIGKILL');
  await gone;
}

export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 2_000,
    query_timeout: 10_000,
  });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}

/** Waits until the database answers, at most 30 s. */
export async function untilAnswers(url: string): Promise<void> {
  const answers = () =>
    query(url, 'SELECT 1').then(
      () => true,
      () => false,
    );
  assert.ok(
    await holdsWithin(30_000, answers, { everyMs: 50 }),
    'the database did not come back within 30 s',
  );
}
