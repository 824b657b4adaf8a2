import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { addOperationsRoutes } from '@orders/platform/http/health-routes';
import { createHttpServer, listen } from '@orders/platform/http/server';
import type { Log } from '@orders/platform/process/log';
import { makeDirectory } from '@orders/platform/process/make-directory';
import { createMetrics, type Metrics } from '@orders/platform/process/metrics';
import { type ShippingProviderConfig, simulationOf } from './config.ts';
import { openLedger } from './ledger.ts';
import { createPostShipment } from './post-shipment.ts';
import { addRoutes } from './routes.ts';
import { createSimulator } from './simulation.ts';
import { createWaitingRequests } from './waiting-requests.ts';

/** More requests than this never wait for their answer at once. */
const waitingMax = 10_000;

/**
 * The mock shipping provider. `ledgerFile`: where bookings are kept across restarts; without it
 * they end with the process. Throws when that file cannot be opened or is damaged.
 */
export async function createShippingProvider(parts: {
  config: ShippingProviderConfig;
  log: Log;
  metrics?: Metrics;
  ledgerFile?: string;
}) {
  const { config, log, metrics = createMetrics('shipping-provider'), ledgerFile } = parts;
  if (ledgerFile !== undefined) await makeDirectory(dirname(ledgerFile), 'DATA_DIR');
  const ledger = openLedger({ path: ledgerFile, log });
  const simulator = createSimulator(simulationOf(config));
  const waiting = createWaitingRequests(waitingMax);
  const app = createHttpServer({ log, boundsClients: false });
  addOperationsRoutes(app, { metrics, isReady: async () => ledger.fault()?.message });
  addRoutes(app, {
    ledger,
    simulator,
    postShipment: createPostShipment({ ledger, simulator, waiting, metrics, log }),
  });
  // Fastify waits for open requests before it has closed: let go of the waiting ones first.
  app.addHook('preClose', async () => waiting.close());
  return {
    app,
    /**
     * Opens the port and returns the service's URL; throws an Error that names the port when it is
     * taken.
     */
    async listen(): Promise<string> {
      await listen(app, {
        host: config.HOST,
        port: config.SHIPPING_PROVIDER_PORT,
        portVariable: 'SHIPPING_PROVIDER_PORT',
      });
      const { port } = app.server.address() as AddressInfo;
      const url = `http://${config.HOST.includes(':') ? `[${config.HOST}]` : config.HOST}:${port}`;
      log.info(
        { url, ledgerFile: ledgerFile ?? null, references: ledger.references() },
        describeLedger(ledgerFile),
      );
      return url;
    },
    /**
     * Ends hanging requests, answers the delayed ones at once, then writes the ledger with fsync.
     */
    async close(): Promise<void> {
      await app.close();
      await ledger.close();
    },
  };
}

const describeLedger = (file: string | undefined) =>
  file === undefined
    ? 'mock shipping provider listens; its bookings end with this process'
    : 'mock shipping provider listens; its bookings are kept';
