/** What a measured server tells the bench once it is ready. */
export type Ready = { url: string };

/** What a server under measurement is to the bench. */
export type Serving = Ready & { close(): Promise<void> };

/** A server that does not close is left behind after this time. */
const closeMs = 15_000;

/**
 * Runs a measured server as a child process of the bench: starts it, announces its address, and closes it when the bench says
 * so or is gone. The data directory is the first argument.
 */
export async function serve(start: (dataDir: string) => Promise<Serving>): Promise<never> {
  const dataDir = process.argv[2];
  if (dataDir === undefined || process.send === undefined) throw new Error('This program is started by npm run bench.');
  const gone = new Promise<void>((resolve) => process.once('disconnect', resolve));
  // Ctrl-C in the terminal reaches the whole group: the bench ends, and then this process by the disconnect.
  process.on('SIGINT', () => undefined);
  const serving = await start(dataDir);
  process.send({ url: serving.url } satisfies Ready);
  await gone;
  setTimeout(() => process.exit(1), closeMs).unref();
  await serving.close();
  process.exit(0);
}
