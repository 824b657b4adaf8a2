// A process that owns a data directory and runs the server in it, for tests to kill. Says where as
// one line of JSON on stdout.

import { startEmbeddedPostgres } from '../../src/postgres/server.ts';
import { lockDataDirectory } from '../../src/processes/data-directory.ts';

const log = { info: () => undefined, warn: () => undefined };
const dataDir = process.argv[2] ?? '';
await lockDataDirectory(dataDir);
const server = await startEmbeddedPostgres({ dataDir, databases: ['orders'], log });
process.stdout.write(`${JSON.stringify({ serverPid: server.pid, url: server.url('orders') })}\n`);
