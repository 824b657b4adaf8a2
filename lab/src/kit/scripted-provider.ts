import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';

/**
 * What it does with a call: an HTTP status with a body, or `cut` the connection without an answer.
 */
export type Reaction = 'cut' | { status: number; body?: unknown };

/**
 * A provider inside the test that does exactly what the test says, for answers that the mock never
 * gives.
 */
export type ScriptedProvider = {
  readonly url: string;
  /** Reference of every POST, and of every look-up, in order of arrival. */
  readonly posts: string[];
  readonly lookUps: string[];
  onPost: (reference: string) => Reaction;
  onLookUp: (reference: string) => Reaction;
  close(): Promise<void>;
};

/** At first every POST is cut off and every look-up finds nothing. */
export async function startScriptedProvider(): Promise<ScriptedProvider> {
  const server = createServer((request, response) => {
    void answer(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const provider: ScriptedProvider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    posts: [],
    lookUps: [],
    onPost: () => 'cut',
    onLookUp: () => ({ status: 404 }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await text(request);
    const isPost = request.method === 'POST';
    const reference = isPost
      ? (JSON.parse(body) as { reference: string }).reference
      : decodeURIComponent((request.url ?? '').split('/').at(-1) ?? '');
    (isPost ? provider.posts : provider.lookUps).push(reference);
    const reaction = isPost ? provider.onPost(reference) : provider.onLookUp(reference);
    if (reaction === 'cut') return void request.socket.destroy();
    response.writeHead(reaction.status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(reaction.body ?? { title: 'scripted' }));
  }
  return provider;
}

/** A shipment as a provider shows it. */
export const shipmentOf = (reference: string) => ({
  reference,
  trackingNumber: `SP-${reference}`,
  carrier: 'Scripted Post',
  createdAt: new Date().toISOString(),
});
