import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { CommandLineError, runCommand } from '@orders/platform/process/command-line';
import { toText } from './print.ts';
import { AuditError } from './report.ts';
import { audit } from './run.ts';
import { findSystem, type Mode } from './surroundings.ts';

const usage = `Usage: npm run audit -- [options]
  Compares every order in both databases, Kafka and the provider's ledger; changes nothing.
  --mode embedded|kafka  without Kafka or with it (kafka where a broker is named or runs in DATA_DIR)
  --grace SECONDS        what is younger is on its way (30)
  --stuck-after SECONDS  what is not final after this is stuck (600)
  --strict               fulfillments without an order are orphaned, not foreign
  --order-group NAME, --fulfillment-group NAME
                         consumer groups of the services (KAFKA_GROUP_ID, or order-service and fulfillment-service)
  --json FILE            writes the whole report there
Exit code: 0 nothing found, 1 findings, 2 could not look, or a wrong option.
`;

const text = { type: 'string' } as const;
const options = {
  mode: text,
  grace: text,
  'stuck-after': text,
  strict: { type: 'boolean', default: false },
  'order-group': text,
  'fulfillment-group': text,
  json: text,
} as const;
const couldNotLook = 2;

await runCommand({ usage, options }, async ({ values }) => {
  if (existsSync('.env')) process.loadEnvFile('.env');
  const standard = {
    graceSeconds: toSeconds('grace', values.grace, 30),
    stuckAfterSeconds: toSeconds('stuck-after', values['stuck-after'], 600),
    isStrict: values.strict,
  };
  const groups = { order: values['order-group'], fulfillment: values['fulfillment-group'] };
  const mode = toMode(values.mode);
  try {
    const system = findSystem(process.env, mode, groups);
    const report = await audit({ ...system, ...standard, out: process.stdout });
    process.stdout.write(toText(report));
    if (values.json !== undefined)
      await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
    return report.ok ? 0 : 1;
  } catch (error) {
    const text = error instanceof AuditError ? error.message : (error as Error).stack;
    process.stderr.write(`${text}\n`);
    return couldNotLook;
  }
});

function toMode(value: string | undefined): Mode | undefined {
  if (value === undefined || value === 'embedded' || value === 'kafka') return value;
  throw new CommandLineError(`--mode ${value} is neither embedded nor kafka.`);
}

function toSeconds(name: string, value: string | undefined, otherwise: number): number {
  const seconds = value === undefined ? otherwise : Number(value);
  if (seconds >= 0) return seconds;
  throw new CommandLineError(`--${name} ${value} is not a number of seconds.`);
}
