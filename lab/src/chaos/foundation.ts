import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../kit/free-ports.ts';
import { startTcpProxy, type TcpProxy } from '../kit/tcp-proxy.ts';

/** What every subject stands on: a directory, networks, and what must be closed, last first. */
export type Foundation = {
  readonly directory: string;
  readonly networks: Map<string, TcpProxy>;
  readonly closers: (() => Promise<unknown>)[];
  /** A proxy in front of a port, which nobody need listen on yet; gives the proxy's port. */
  addNetwork(name: string, targetPort: number): Promise<number>;
  close(): Promise<void>;
};

export async function startFoundation(): Promise<Foundation> {
  const directory = await mkdtemp(join(tmpdir(), 'orders-chaos-'));
  const networks = new Map<string, TcpProxy>();
  const closers: (() => Promise<unknown>)[] = [
    () => rm(directory, { recursive: true, force: true, maxRetries: 5 }),
    () => Promise.all([...networks.values()].map((network) => network.close())),
  ];
  return {
    directory,
    networks,
    closers,
    async addNetwork(name, targetPort) {
      const [port = 0] = await freePorts(1);
      networks.set(name, await startTcpProxy({ port, targetPort }));
      return port;
    },
    async close() {
      for (const closeOne of closers.splice(0).reverse()) await closeOne();
    },
  };
}

/** The same database, reached through a port of this machine. */
export function throughPort(databaseUrl: string, port: number): string {
  const url = new URL(databaseUrl);
  url.port = String(port);
  return url.href;
}
