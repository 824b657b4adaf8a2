import assert from 'node:assert/strict';
import type { LedgerEntry, Shipment, Simulation } from '@orders/contracts/shipping';
import { call } from './http.ts';
import { type Program, startProgram } from './program.ts';
import { until } from './until.ts';

/** The mock shipping provider as a process of its own, with a ledger that outlives it. */
export type ShippingProvider = {
  readonly url: string;
  readonly program: Program;
  /** Starts it and waits for nothing. */
  launch(): void;
  /** @throws when it has ended or does not answer */
  untilReady(): Promise<void>;
  /** Starts it and waits until it answers. */
  start(): Promise<void>;
  /** kill -9, and waits for the end. */
  kill(): Promise<void>;
};

/**
 * Starts a provider on the port with its data below `directory`; `env` sets its behaviour
 * (SIMULATION_…).
 */
export async function startShippingProvider(options: {
  port: number;
  directory: string;
  env?: Record<string, string>;
}): Promise<ShippingProvider> {
  const { port, directory, env } = options;
  const url = `http://127.0.0.1:${port}`;
  const begin = () =>
    startProgram('services/shipping-provider/src/main.ts', {
      directory,
      env: { SHIPPING_PROVIDER_PORT: String(port), DATA_DIR: `${directory}/provider`, ...env },
    });
  let program = begin();
  const launch = () => {
    program = begin();
  };
  const untilReady = async () => {
    await until('the shipping provider', 15, async () => {
      assert.equal(program.exit, undefined, `it has ended:\n${program.tail()}`);
      return (await call('GET', `${url}/health/ready`, { timeoutMs: 1_000 })).status === 200;
    });
  };
  await untilReady();
  return {
    url,
    get program() {
      return program;
    },
    launch,
    untilReady,
    async start() {
      launch();
      await untilReady();
    },
    async kill() {
      program.signalGroup('SIGKILL');
      await program.untilExit(5);
    },
  };
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
