import { connect, createServer, type Server, type Socket } from 'node:net';
import { carryBytes, type Weather } from './proxied-bytes.ts';

/**
 * Stands between a program and a server on this machine, and makes the network between them bad.
 */
export type TcpProxy = {
  readonly port: number;
  /** Connections that are open now. */
  readonly connections: number;
  /**
   * Resets a share (0 to 1) of the open connections at both ends; bytes on their way are gone.
   * Returns how many.
   */
  cut(share?: number): number;
  /** From now on every byte arrives this many milliseconds late, in each direction; 0 ends it. */
  slow(delayMs: number): void;
  /**
   * Lets nothing through: connections are taken and stay open, and their bytes wait for `release`.
   */
  hold(): void;
  /** Lets everything go on, late: as after packets were lost and sent again. */
  release(): void;
  close(): Promise<void>;
};

/**
 * Starts a proxy on 127.0.0.1 (`port` 0 takes any free one) to a port of 127.0.0.1. Where nobody
 * listens behind it, a connection is made and reset at once.
 */
export async function startTcpProxy(options: {
  port?: number;
  targetPort: number;
}): Promise<TcpProxy> {
  const weather: Weather = { delayMs: 0, isHeld: false };
  const pairs = new Set<Pair>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (near) => {
    const far = connect({
      port: options.targetPort,
      host: '127.0.0.1',
      allowHalfOpen: true,
      noDelay: true,
    });
    const pair = joinSockets(near, far, weather);
    pairs.add(pair);
    near.once('close', () => pairs.delete(pair));
  });
  const port = await listenOn(server, options.port ?? 0);
  const goOn = () => pairs.forEach((pair) => void pair.goOn());
  const cut = (share = 1) => {
    const victims = [...pairs].slice(0, Math.ceil(pairs.size * share));
    for (const pair of victims) {
      pairs.delete(pair);
      pair.reset();
    }
    return victims.length;
  };
  return {
    port,
    get connections() {
      return pairs.size;
    },
    cut,
    slow(delayMs) {
      weather.delayMs = delayMs;
      goOn();
    },
    hold() {
      weather.isHeld = true;
    },
    release() {
      weather.isHeld = false;
      goOn();
    },
    async close() {
      cut();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

type Pair = { goOn(): void; reset(): void };

function joinSockets(near: Socket, far: Socket, weather: Weather): Pair {
  const lanes = [carryBytes(near, far, weather), carryBytes(far, near, weather)];
  const reset = () => {
    for (const socket of [near, far]) if (!socket.destroyed) resetOrDestroy(socket);
    for (const lane of lanes) lane.drop();
  };
  // Refused, reset by either end, or ended in the middle: the other end is told by a reset too.
  for (const socket of [near, far])
    socket.once('error', reset).once('close', (hadError) => void (hadError && reset()));
  return { goOn: () => lanes.forEach((lane) => void lane.goOn()), reset };
}

/**
 * While its end is being sent a socket cannot be reset: Node would say EINVAL, keep it open, and
 * wait for it at the end of the process.
 */
function resetOrDestroy(socket: Socket): void {
  if (socket.writableEnded && !socket.writableFinished) socket.destroy();
  else socket.resetAndDestroy();
}

function listenOn(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : port);
    });
  });
}
