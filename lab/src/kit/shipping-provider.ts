import assert from 'node:assert/strict';
import type { LedgerEntry, Shipment, Simulation } from '@orders/contracts/shipping';
import { call } from './http.ts';
import { startProgram } from './program.ts';
import { createRestartable, type Restartable } from './restartable.ts';

/** The mock shipping provider as a process of its own, with a ledger that outlives it. */
export type ShippingProvider = Restartable & { readonly url: string };

/**
 * Starts a provider on the port with its data below `directory`; `env` sets its behaviour
 * (SIMULATION_…).
 */
export async function startShippingProvider(options: {
  port: number;
  directory: string;
  env?: Record<string, string>;
}): Promise<ShippingProvider> {
  const { port, directory } = options;
  const url = `http://127.0.0.1:${port}`;
  const env = {
    SHIPPING_PROVIDER_PORT: String(port),
    DATA_DIR: `${directory}/provider`,
    ...options.env,
  };
  const provider = createRestartable({
    name: 'the shipping provider',
    begin: () => startProgram('services/shipping-provider/src/main.ts', { directory, env }),
    isReady: async () =>
      (await call('GET', `${url}/health/ready`, { timeoutMs: 1_000 })).status === 200,
    readySeconds: 15,
  });
  await provider.start();
  return Object.assign(provider, { url });
}

/** What the provider has booked: reference (an order id) to its line of the ledger. */
export async function readLedger(providerUrl: string): Promise<Map<string, LedgerEntry>> {
  const { status, text } = await call('GET', `${providerUrl}/simulation/ledger`, {
    timeoutMs: 30_000,
  });
  assert.equal(status, 200, text);
  const entries = text.split('\n').filter((line) => line !== '');
  return new Map(
    entries.map((line) => JSON.parse(line) as LedgerEntry).map((entry) => [entry.reference, entry]),
  );
}

/** Changes the provider's behaviour at run time; what is left out stays. */
export async function simulate(providerUrl: string, change: Partial<Simulation>): Promise<void> {
  const { status, text } = await call('PUT', `${providerUrl}/simulation`, { json: change });
  assert.ok(status >= 200 && status < 300, text);
}

/** The shipment of an order as the provider shows it. */
export async function readShipment(providerUrl: string, orderId: string): Promise<Shipment> {
  const { status, text, body } = await call<Shipment>(
    'GET',
    `${providerUrl}/api/shipments/${orderId}`,
  );
  assert.equal(status, 200, text);
  return body;
}
