import assert from 'node:assert/strict';
import { test } from 'node:test';
import { invariants } from '../../src/check/invariants.ts';
import { inventRepository } from './invented-repository.ts';

const page = '- **I1: one commit.** Text.\n- **I2: the newest wins.** Text with I9: in it.\n';
const problemsOf = async (files: Record<string, string>) =>
  (await invariants.inspect(inventRepository({ 'ARCHITECTURE.md': page, ...files }))).problems;

test('an invariant needs a line of source and the name of a test', async () => {
  assert.deepEqual(await problemsOf({}), [
    'ARCHITECTURE.md: no source cites I1',
    'ARCHITECTURE.md: no test is named after I1',
    'ARCHITECTURE.md: no source cites I2',
    'ARCHITECTURE.md: no test is named after I2',
  ]);
  const source = '// I1: committed. I2: and the newest.\nconst port = I7: 3;\n';
  assert.deepEqual(
    await problemsOf({ 'a/src/b.ts': source, 'a/test/b.ts': "test('I1: one')\ntest(`I2: two`)" }),
    [],
  );
});

test('a number that ARCHITECTURE.md does not have is a problem of the file that cites it', async () => {
  const problems = await problemsOf({ 'a/src/b.ts': ' * I8: gone', 'a/test/b.ts': "'I3: gone'" });
  assert.deepEqual(problems.slice(0, 2), [
    'a/src/b.ts: ARCHITECTURE.md has no invariant I8',
    'a/test/b.ts: ARCHITECTURE.md has no invariant I3',
  ]);
});
