import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Rule, runRules, type Verdict } from '../../src/check/rule.ts';
import { inventRepository } from './invented-repository.ts';

const verdictOf = (name: string, verdict: Verdict): Rule => ({
  name,
  inspect: async () => verdict,
});

async function run(...rules: Rule[]): Promise<{ failed: number; lines: string[] }> {
  let output = '';
  const failed = await runRules(rules, inventRepository({}), (text) => {
    output += text;
  });
  return {
    failed,
    lines: output
      .replace(/\d+\.\d s/g, 'T')
      .trimEnd()
      .split('\n'),
  };
}

test('each rule gets one line with its time, and its problems and notes below', async () => {
  const holds = verdictOf('holds', { problems: [], notes: ['nearly too long'] });
  const broken = verdictOf('broken', { problems: ['a.ts: bad\nsee there'], notes: [] });
  assert.deepEqual(await run(holds, broken), {
    failed: 1,
    lines: [
      'ok   holds (T)',
      '       note: nearly too long',
      'FAIL broken (T)',
      '       a.ts: bad',
      '       see there',
    ],
  });
});

test('a rule that throws has failed and does not hide the others', async () => {
  const throws: Rule = { name: 'throws', inspect: () => Promise.reject(new Error('no such file')) };
  assert.deepEqual(await run(throws, verdictOf('holds', { problems: [], notes: [] })), {
    failed: 1,
    lines: ['FAIL throws (T)', '       the rule itself failed: no such file', 'ok   holds (T)'],
  });
});
