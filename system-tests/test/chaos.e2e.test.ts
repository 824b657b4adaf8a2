// A short round of each mode; `npm run chaos` does more of them. SEED repeats a round; REAL_ORDERS
// names a file of real orders.
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { readResults } from '@orders/lab/chaos/round-result';
import { startScript } from '@orders/lab/kit/program';
import { seedOfRun } from '@orders/lab/kit/random';

const faults = 12;
const noKafkaCode = 2;
const options = { timeout: 400_000 };

async function runShortRound(t: TestContext, mode: 'embedded' | 'kafka') {
  const directory = await mkdtemp(join(tmpdir(), 'orders-chaos-test-'));
  t.after(() => rm(directory, { recursive: true, force: true }));
  const { REQUIRE_KAFKA, REAL_ORDERS } = process.env;
  const results = join(directory, 'results.ndjson');
  const program = startScript('chaos', {
    directory,
    env: { ...(REQUIRE_KAFKA && { REQUIRE_KAFKA }), ...(REAL_ORDERS && { REAL_ORDERS }) },
    args: [
      '--mode',
      mode,
      '--faults',
      String(faults),
      '--seed',
      String(seedOfRun() % 2 ** 30),
      '--results',
      results,
    ],
  });
  const { code } = await program.untilExit(390);
  const said = program.tail(40);
  process.stdout.write(`${said}\n`);
  return { code, said, rounds: await readResults(results) };
}

test(
  `${faults} faults at random lose nothing, book nothing twice and leave nothing stuck: one process`,
  options,
  async (t) => {
    const { code, said, rounds } = await runShortRound(t, 'embedded');
    assert.equal(code, 0, said);
    assert.equal(rounds[0]?.faults.length, faults);
  },
);

test(
  `${faults} faults at random lose nothing, book nothing twice and leave nothing stuck: on Kafka`,
  options,
  async (t) => {
    const { code, said, rounds } = await runShortRound(t, 'kafka');
    if (code === noKafkaCode) return t.skip('there is no Kafka broker');
    assert.equal(code, 0, said);
    assert.equal(rounds[0]?.faults.length, faults);
  },
);
