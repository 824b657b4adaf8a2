import type { Rule } from './rule.ts';

/** The way of an order: the file of each station, in order. */
const stationFiles = [
  'services/order/src/take/routes.ts',
  'packages/contracts/src/orders/api.ts',
  'services/order/src/take/place-order.ts',
  'packages/platform/src/messaging/outbox-relay.ts',
  'packages/platform/src/messaging/broker-in-process.ts',
  'services/fulfillment/src/receive/on-order-event.ts',
  'services/fulfillment/src/ship/dispatcher.ts',
  'services/fulfillment/src/ship/report-outcome.ts',
  'services/order/src/show/on-fulfillment-event.ts',
];

export const stations: Rule = {
  name: 'stations (first line names the number)',
  async inspect(repository) {
    const problems: string[] = [];
    for (const [index, path] of stationFiles.entries()) {
      const beginning = `// Station ${index + 1} of ${stationFiles.length}`;
      if (!repository.files.includes(path)) problems.push(`${path}: is missing`);
      else if (!new RegExp(`^${beginning}\\b`).test(await repository.read(path))) {
        problems.push(`${path}: first line must begin with "${beginning}"`);
      }
    }
    return { problems, notes: [] };
  },
};
