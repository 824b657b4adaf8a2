import { createServer, type ServerResponse } from 'node:http';
import type { TestContext } from 'node:test';

export type Answer =
  | { status: number; body?: unknown; headers?: Record<string, string> }
  | 'drop'
  | 'hang';
export type Ask = {
  method: string;
  reference: string;
  key: string | undefined;
  body: string;
  at: number;
};

/**
 * A provider over HTTP that answers as the test says; keeps what was asked. `inFlight` tells the
 * most at once per reference.
 */
export async function scriptedProvider(t: TestContext) {
  const asked: Ask[] = [];
  const open = new Map<string, number>();
  const hanging = new Set<ServerResponse>();
  const provider = {
    asked,
    mostAtOnce: 0,
    posts: (reference?: string) =>
      asked.filter(
        (ask) => ask.method === 'POST' && (reference === undefined || ask.reference === reference),
      ),
    lookUps: () => asked.filter((ask) => ask.method === 'GET'),
    post: async (_ask: Ask, _count: number): Promise<Answer> => shipment('T1'),
    lookUp: async (_ask: Ask, _count: number): Promise<Answer> => ({ status: 404 }),
    url: '',
  };
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8');
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { method = '', url = '', headers } = request;
      const key = headers['idempotency-key'] as string | undefined;
      const reference =
        method === 'POST' ? String(JSON.parse(body).reference) : (url.split('/').at(-1) ?? '');
      const ask = { method, reference, key, body, at: performance.now() };
      asked.push(ask);
      const count = asked.filter(
        (one) => one.method === method && one.reference === reference,
      ).length;
      const atOnce = (open.get(reference) ?? 0) + 1;
      open.set(reference, atOnce);
      provider.mostAtOnce = Math.max(provider.mostAtOnce, atOnce);
      response.on('close', () => open.set(reference, (open.get(reference) ?? 1) - 1));
      void (method === 'POST' ? provider.post(ask, count) : provider.lookUp(ask, count)).then(
        (answer) => {
          if (answer === 'hang') hanging.add(response);
          else if (answer === 'drop') request.socket.destroy();
          else {
            const text = textOf(answer.body, reference);
            response
              .writeHead(answer.status, { 'content-type': 'application/json', ...answer.headers })
              .end(text);
          }
        },
      );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const response of hanging) response.destroy();
    server.closeAllConnections();
    server.close();
  });
  provider.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
  return provider;
}

/** A shipment carries the reference that was asked for, unless the test says another. */
function textOf(body: unknown, reference: string): string {
  if (typeof body === 'string') return body;
  const isShipment = typeof body === 'object' && body !== null && 'trackingNumber' in body;
  return JSON.stringify(isShipment ? { reference, ...body } : (body ?? {}));
}

export const shipment = (trackingNumber: string, more: object = {}): Answer => ({
  status: 201,
  body: {
    trackingNumber,
    carrier: 'Carrier',
    createdAt: '2026-01-20T21:09:00.000Z',
    ...more,
  },
});
