import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import type { TestContext } from 'node:test';

type Body = {
  customerId?: string;
  items: { productId: string; quantity: number; unitPrice: number }[];
};
type Stored = { orderId: string; body: Body; createdAt: string; status: string };
export type Trouble = { creates: boolean; with: 'cut' | number };

/** What the fake does to a POST before it behaves, and what it says about an order in its list. */
export type Fake = {
  url: string;
  orders: Stored[];
  bodies: unknown[];
  /** The first POSTs meet these, one each. */
  troubles: Trouble[];
  pagesServed: number;
  statusOf(order: Stored): string | undefined;
};

/** A small Order Service: keeps to the contract as far as the replay can see it. */
export async function startFakeOrderService(t: TestContext): Promise<Fake> {
  const byKey = new Map<string, Stored>();
  const fake: Fake = {
    url: '',
    orders: [],
    bodies: [],
    troubles: [],
    pagesServed: 0,
    statusOf: () => 'Shipped',
  };
  const server = createServer((request, response) => {
    answer(request, response).catch((error: Error) => response.writeHead(500).end(error.message));
  });
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  fake.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return fake;

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url ?? '', fake.url);
    if (pathname === '/health/live') return json(response, 200, { status: 'ok' });
    if (request.method === 'GET') return json(response, 200, page(searchParams));
    const trouble = fake.troubles.shift();
    const body: Body = JSON.parse(await text(request));
    fake.bodies.push(body);
    const errors = faultsOf(body);
    if (errors.length > 0) return json(response, 400, { code: 'validation_failed', errors });
    const key = String(request.headers['idempotency-key']);
    if (trouble === undefined || trouble.creates) store(key, body);
    if (trouble?.with === 'cut') return void response.destroy();
    if (trouble !== undefined)
      return json(response, Number(trouble.with), { code: 'store_unavailable' });
    json(response, 201, { orderId: byKey.get(key)?.orderId, status: 'Created' });
  }

  function store(key: string, body: Body): void {
    if (byKey.has(key)) return;
    const order = {
      orderId: crypto.randomUUID(),
      body,
      createdAt: new Date().toISOString(),
      status: 'Created',
    };
    byKey.set(key, order);
    fake.orders.push(order);
  }

  function page(query: URLSearchParams): object {
    fake.pagesServed += 1;
    const from = Number(query.get('pageToken') ?? 0);
    const to = from + Number(query.get('limit'));
    const since = fake.orders
      .filter((order) => order.createdAt >= String(query.get('createdFrom')))
      .reverse();
    const items = since.slice(from, to).flatMap((order) => {
      const status = fake.statusOf(order);
      return status === undefined
        ? []
        : [{ orderId: order.orderId, status, createdAt: order.createdAt }];
    });
    return { items, nextPageToken: to < since.length ? String(to) : null };
  }
}

function faultsOf(body: Body): { pointer: string; detail: string }[] {
  const inItems = body.items.flatMap(({ quantity }, index) =>
    quantity < 1 ? [{ pointer: `/items/${index}/quantity`, detail: 'must be >= 1' }] : [],
  );
  return body.customerId === undefined
    ? [{ pointer: '/customerId', detail: 'is required' }, ...inItems]
    : inItems;
}

function json(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}
