import { setInterval as ticks } from 'node:timers/promises';
import { residentMb } from './process-table.ts';
import type { ServiceProcess } from './service-process.ts';

/** Resident memory of services in MB, by name. */
type ResidentMb = Record<string, number>;

export type MemoryWatch = {
  /** The most that each had since the last time this was called. */
  most(): ResidentMb;
  stop(): Promise<void>;
};

const everyMs = 500;

/**
 * Looks at the services twice a second; a service that does not live then is left out, and where
 * nobody can tell, everyone is.
 */
export function startMemoryWatch(services: readonly ServiceProcess[]): MemoryWatch {
  const stopping = new AbortController();
  let most = new Map<string, number>();
  const look = () => {
    for (const { name, program } of services) {
      const mb = Math.round(residentMb(program.pid)?.now ?? 0);
      if (mb > 0) most.set(name, Math.max(mb, most.get(name) ?? 0));
    }
  };
  const running = every(everyMs, look, stopping.signal);
  return {
    most() {
      look();
      const last = most;
      most = new Map();
      return Object.fromEntries(last);
    },
    async stop() {
      stopping.abort();
      await running;
    },
  };
}

async function every(ms: number, act: () => void, signal: AbortSignal): Promise<void> {
  try {
    for await (const _ of ticks(ms, undefined, { signal })) act();
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
