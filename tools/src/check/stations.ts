import type { Rule } from './rule.ts';

/** The way of an order: the file of each station, in order. */
const stationFiles = [
  'services/order/src/routes.ts',
  'packages/contracts/src/orders-api.ts',
  'services/order/src/place-order.ts',
  'packages/platform/src/outbox-relay.ts',
  'packages/platform/src/broker-in-process.ts',
  'services/fulfillment/src/on-order-event.ts',
  'services/fulfillment/src/dispatch-shipments.ts',
  'services/fulfillment/src/report-outcome.ts',
  'services/order/src/on-fulfillment-event.ts',
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
