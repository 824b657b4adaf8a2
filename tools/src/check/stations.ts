import type { Rule } from './rule.ts';

/** A station's file, and the call or declaration that does its work, in the order of the way. */
type Station = { path: string; work: RegExp };

const stationsInOrder: readonly Station[] = [
  { path: 'services/order/src/take/routes.ts', work: /'\/api\/orders'/ },
  { path: 'packages/contracts/src/orders/api.ts', work: /export const NewOrder\b/ },
  { path: 'services/order/src/take/place-order.ts', work: /\.place\(/ },
  {
    path: 'packages/platform/src/messaging/outbox-relay.ts',
    work: /publisher\.add\(/,
  },
  {
    path: 'packages/platform/src/messaging/broker-in-process.ts',
    work: /export function createInProcessBroker\b/,
  },
  { path: 'services/fulfillment/src/receive/on-order-event.ts', work: /\.file\(/ },
  { path: 'services/fulfillment/src/ship/dispatch.ts', work: /client\.ship\(/ },
  { path: 'services/fulfillment/src/ship/report-outcome.ts', work: /\.report\(/ },
  { path: 'services/order/src/show/on-fulfillment-event.ts', work: /\.project\(/ },
];

export const stations: Rule = {
  name: 'stations (first line names the number, the file does the work)',
  async inspect(repository) {
    const problems: string[] = [];
    for (const [index, { path, work }] of stationsInOrder.entries()) {
      const beginning = `// Station ${index + 1} of ${stationsInOrder.length}`;
      if (!repository.files.includes(path)) {
        problems.push(`${path}: is missing`);
        continue;
      }
      const text = await repository.read(path);
      if (!new RegExp(`^${beginning}\\b`).test(text))
        problems.push(`${path}: first line must begin with "${beginning}"`);
      if (!work.test(text)) problems.push(`${path}: does not contain ${work}, its work`);
    }
    return { problems, notes: [] };
  },
};
