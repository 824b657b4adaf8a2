import { existsSync } from 'node:fs';
import {
  CommandLineError,
  positiveNumber,
  runCommand,
} from '@orders/platform/process/command-line';
import { ReplayError } from './recorded-orders.ts';
import { replay } from './run.ts';

const usage = `Usage: npm run replay -- FILE [options]
  FILE             orders, one JSON object a line: .ndjson or .ndjson.gz (try samples/online-retail.ndjson)
  --url URL        the Order Service (http://127.0.0.1:5000, or the port of ORDER_SERVICE_PORT)
  --rate N         N orders a second, whatever the answers; without it, the next order follows an answer
  --concurrency N  orders in flight at once (32; with --rate at most 1000)
  --limit N        only the first N orders
  --wait SECONDS   how long the accepted orders are followed after the last was posted (120)
Exit code: 0 every order has its verdict, 1 one has none, or the run could not go on, 2 a wrong option.
`;

const text = { type: 'string' } as const;
const options = { url: text, rate: text, concurrency: text, limit: text, wait: text };
type Values = { [name in keyof typeof options]?: string };

const stopping = new AbortController();
// Once ends the run with its report, twice ends the process.
process.once('SIGINT', () => stopping.abort());

await runCommand({ usage, options, allowPositionals: true }, async ({ values, positionals }) => {
  const [file] = positionals;
  if (file === undefined || positionals.length > 1)
    throw new CommandLineError('Name one FILE of orders: npm run replay -- FILE.');
  if (existsSync('.env')) process.loadEnvFile('.env');
  const run = { file, ...runOptions(values), out: process.stdout, signal: stopping.signal };
  try {
    return (await replay(run)) ? 0 : 1;
  } catch (error) {
    if (!(error instanceof ReplayError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return 1;
  }
});

function runOptions(values: Values) {
  const usualUrl = `http://127.0.0.1:${process.env.ORDER_SERVICE_PORT || 5000}`;
  const url = (values.url ?? usualUrl).replace(/\/+$/, '');
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new CommandLineError(`--url ${url} is not an http address.`);
  const positive = (name: keyof Values): number | undefined => {
    const value = values[name];
    return value === undefined ? undefined : positiveNumber(name, value);
  };
  const rate = positive('rate');
  return {
    url,
    rate,
    concurrency: positive('concurrency') ?? (rate === undefined ? 32 : 1000),
    waitSeconds: positive('wait') ?? 120,
    limit: positive('limit') ?? Number.POSITIVE_INFINITY,
  };
}
