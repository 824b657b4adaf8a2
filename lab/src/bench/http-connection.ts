import { connect, type Socket } from 'node:net';

/** Without an answer for so long, the connection counts as broken. */
const answerMs = 30_000;

/** One keep-alive connection with one request in flight. */
export type HttpConnection = {
  /**
   * Sends a whole serialised request; `done` hears the status of its answer, or 0 when the
   * connection broke.
   */
  send(request: Buffer, done: (status: number) => void): void;
  close(): void;
};

/**
 * A client that does as little as can be, because it shares the machine with the server it
 * measures: requests are serialised before the measurement, and of an answer only status and length
 * are read. It knows answers with Content-Length and no others, and takes a new connection after a
 * broken one.
 */
export function openConnection(url: URL): HttpConnection {
  let socket: Socket | undefined;
  let isClosed = false;
  let waiting: ((status: number) => void) | undefined;
  let received: Buffer = Buffer.alloc(0);

  const finish = (status: number): void => {
    const done = waiting;
    waiting = undefined;
    done?.(status);
  };
  const open = (): Socket => {
    const opened = connect({ host: url.hostname, port: Number(url.port), noDelay: true });
    opened.setTimeout(answerMs, () => opened.destroy());
    opened.on('data', (chunk) => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const answer = readAnswer(received);
      if (answer === undefined) return;
      received = Buffer.alloc(0);
      finish(answer);
    });
    const broken = (): void => {
      if (socket !== opened) return;
      socket = undefined;
      received = Buffer.alloc(0);
      finish(0);
    };
    opened.on('error', broken).on('close', broken);
    return opened;
  };

  return {
    send(request, done) {
      if (isClosed) return done(0);
      waiting = done;
      socket ??= open();
      socket.write(request);
    },
    close() {
      isClosed = true;
      socket?.destroy();
    },
  };
}

/** The status, once the whole answer has arrived. */
function readAnswer(bytes: Buffer): number | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd < 0) return undefined;
  const head = bytes.toString('latin1', 0, headEnd);
  const length = /\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined)
    throw new Error(`An answer without Content-Length cannot be measured:\n${head}`);
  return bytes.length >= headEnd + 4 + Number(length) ? Number(head.slice(9, 12)) : undefined;
}

/** A POST with a JSON body, ready to be sent. */
export function serializePost(url: URL, body: string): Buffer {
  const head = [
    `POST ${url.pathname} HTTP/1.1`,
    `host: ${url.host}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
  ];
  return Buffer.from(`${head.join('\r\n')}\r\n\r\n${body}`);
}
