import { Simulation } from '@orders/contracts/shipping';
import { profileVariable } from '@orders/platform/process/profile';
import { commonVariables, portVariable } from '@orders/platform/process/variables';
import Type, { type Static } from 'typebox';

const { properties: start } = Simulation;
const atStart = (what: string) => `At the start: ${what}; PUT /simulation changes it`;

/** How the mock behaves from its start on; the same values as `Simulation`, by environment. */
const simulationVariables = {
  SIMULATION_LATENCY_MS: {
    ...start.latencyMs,
    description: atStart('every POST answers this late'),
  },
  SIMULATION_LATENCY_JITTER_MS: {
    ...start.latencyJitterMs,
    description: atStart('up to this much later still'),
  },
  SIMULATION_FAILURE_RATE: {
    ...start.failureRate,
    description: atStart('share answered 503, nothing booked'),
  },
  SIMULATION_REFUSE_RATE: {
    ...start.refuseRate,
    description: atStart('share answered 422, nothing booked'),
  },
  SIMULATION_HANG_RATE: {
    ...start.hangRate,
    description: atStart('share never answered, nothing booked'),
  },
  SIMULATION_LOST_RESPONSE_RATE: {
    ...start.lostResponseRate,
    description: atStart('share booked, then the connection drops'),
  },
  SIMULATION_DEDUPE: {
    ...start.dedupe,
    description: atStart('the same Idempotency-Key gives the same shipment'),
  },
  SIMULATION_LOOKUP_DELAY_MS: {
    ...start.lookupDelayMs,
    description: atStart('the look-up lags behind a booking'),
  },
  SIMULATION_SEED: { ...start.seed, description: atStart('seed of the random draws') },
};

/** Everything that this service reads from its environment. */
export const shippingProviderVariables = {
  ...commonVariables,
  ...profileVariable,
  SHIPPING_PROVIDER_PORT: portVariable(5002, 'the mock shipping provider'),
  ...simulationVariables,
};

export const ShippingProviderConfig = Type.Object(shippingProviderVariables);
export type ShippingProviderConfig = Static<typeof ShippingProviderConfig>;

/** As its own process the mock keeps its ledger only where it is told to. */
export const ShippingProviderProcessConfig = Type.Object({
  ...shippingProviderVariables,
  DATA_DIR: Type.Optional(
    Type.String({ minLength: 1, description: 'Folder for data; unset: the ledger is not kept' }),
  ),
});

/** The simulation that the configuration starts with. */
export function simulationOf(config: ShippingProviderConfig): Simulation {
  return {
    latencyMs: config.SIMULATION_LATENCY_MS,
    latencyJitterMs: config.SIMULATION_LATENCY_JITTER_MS,
    failureRate: config.SIMULATION_FAILURE_RATE,
    refuseRate: config.SIMULATION_REFUSE_RATE,
    hangRate: config.SIMULATION_HANG_RATE,
    lostResponseRate: config.SIMULATION_LOST_RESPONSE_RATE,
    dedupe: config.SIMULATION_DEDUPE,
    lookupDelayMs: config.SIMULATION_LOOKUP_DELAY_MS,
    nullFieldsRate: 0,
    foreignReferenceRate: 0,
    notFoundPageRate: 0,
    refusesBooked: false,
    seed: config.SIMULATION_SEED,
  };
}

/** The mock books nothing in the real world. */
export const shippingProviderRules = (config: { PROFILE?: string }): string[] =>
  config.PROFILE === 'prod' ? ['PROFILE must not be prod: this is the mock shipping provider'] : [];
