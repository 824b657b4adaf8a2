import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * On the disk of the checkout, as with `npm start`: the system's folder for temporary files may lie
 * in memory, where fsync is free.
 */
const parent = join(import.meta.dirname, '../../../.data');

/** What a measured server tells the bench once it is ready. */
export type Ready = { url: string; dataDir: string };

export type Serving = { url: string; close(): Promise<void> };

/** A server that does not close is left behind after this time. */
const closeMs = 15_000;

/**
 * Runs a measured server as a child process of the bench: starts it on a data directory of its own,
 * announces its address, and closes it and removes its data when the bench disconnects or is gone.
 */
export async function serve(start: (dataDir: string) => Promise<Serving>): Promise<never> {
  if (process.send === undefined) throw new Error('This program is started by npm run bench.');
  const gone = new Promise<void>((resolve) => process.once('disconnect', resolve));
  // Ctrl-C in the terminal reaches the whole group: the bench ends, and then this process by the
  // disconnect.
  process.on('SIGINT', () => undefined);
  await mkdir(parent, { recursive: true });
  const dataDir = await mkdtemp(join(parent, 'bench-'));
  const serving = await start(dataDir);
  if (process.connected) process.send({ url: serving.url, dataDir } satisfies Ready);
  await gone;
  setTimeout(() => process.exit(1), closeMs).unref();
  await serving.close();
  await rm(dataDir, { recursive: true, force: true });
  process.exit(0);
}
