import { choosePort } from '@orders/embedded/processes/server-port';

/** Ports of 127.0.0.1 that nobody listens on now, all different. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  while (found.size < count) found.add(await choosePort(undefined));
  return [...found];
}
