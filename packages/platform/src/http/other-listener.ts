import { connect } from 'node:net';
import type { FastifyInstance } from 'fastify';
import type { Log } from '../process/log.ts';

const answerMs = 500;

/**
 * Warns where another program listens on the same port of [::1]: `localhost` may lead there (on
 * macOS to AirPlay, on port 5000), and its answers are taken for ours.
 */
export function warnOfOtherListener(app: FastifyInstance, log: Log): void {
  app.addHook('onListen', async () => {
    const ours = app.addresses().filter((at) => typeof at !== 'string');
    const port = ours.find(({ address }) => address === '127.0.0.1')?.port;
    if (port === undefined || ours.some(({ family }) => family === 'IPv6')) return;
    if (!(await isTaken(port))) return;
    const use = `http://127.0.0.1:${port}`;
    log.warn({ port, use }, 'another program answers on this port of localhost (IPv6)');
  });
}

function isTaken(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '::1', port, timeout: answerMs });
    const end = (answers: boolean) => () => {
      socket.destroy();
      resolve(answers);
    };
    socket.once('connect', end(true)).once('error', end(false)).once('timeout', end(false));
  });
}
