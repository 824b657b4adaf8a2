import { parseArgs } from 'node:util';
import { ReplayError } from './recorded-orders.ts';
import { replay } from './run.ts';

const usage = `Usage: npm run replay -- FILE [options]
  FILE             orders, one JSON object a line: .ndjson or .ndjson.gz (try samples/online-retail.ndjson)
  --url URL        the Order Service (http://127.0.0.1:5000)
  --rate N         N orders a second, whatever the answers; without it, the next order follows an answer
  --concurrency N  orders in flight at once (32; with --rate at most 1000)
  --limit N        only the first N orders
  --wait SECONDS   how long the accepted orders are followed after the last was posted (120)
`;

const stopping = new AbortController();
// Once ends the run with its report, twice ends the process.
process.once('SIGINT', () => stopping.abort());
try {
  process.exitCode = (await replay({
    ...readArguments(),
    out: process.stdout,
    signal: stopping.signal,
  }))
    ? 0
    : 1;
} catch (error) {
  const isForPeople =
    error instanceof ReplayError ||
    (error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS') === true;
  process.stderr.write(`${isForPeople ? (error as Error).message : (error as Error).stack}\n`);
  process.exitCode = 1;
}

function readArguments() {
  const text = { type: 'string' } as const;
  const options = {
    url: text,
    rate: text,
    concurrency: text,
    limit: text,
    wait: text,
    help: { type: 'boolean', short: 'h' },
  } as const;
  const { values, positionals } = parseArgs({ options, allowPositionals: true });
  const file = positionals[0];
  if (values.help === true || file === undefined || positionals.length > 1)
    throw new ReplayError(usage);
  const url = (values.url ?? 'http://127.0.0.1:5000').replace(/\/+$/, '');
  if (!/^https?:$/.test(URL.parse(url)?.protocol ?? ''))
    throw new ReplayError(`--url ${url} is not an http address.`);
  const rate = positive('rate', values.rate);
  const concurrency =
    positive('concurrency', values.concurrency) ?? (rate === undefined ? 32 : 1000);
  const waitSeconds = positive('wait', values.wait) ?? 120;
  return {
    file,
    url,
    rate,
    concurrency,
    waitSeconds,
    limit: positive('limit', values.limit) ?? Number.POSITIVE_INFINITY,
  };
}

function positive(name: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined;
  const number = Number(value);
  if (!(number > 0)) throw new ReplayError(`--${name} ${value} is not a number above 0.`);
  return number;
}
