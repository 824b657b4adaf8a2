import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forbiddenWordsIn } from '../../src/check/forbidden-words.ts';
import { lockfile } from '../../src/check/lockfile.ts';
import { sizes } from '../../src/check/sizes.ts';
import { stations } from '../../src/check/stations.ts';
import { tooWideIn } from '../../src/check/width.ts';
import { inventRepository } from './invented-repository.ts';

const lines = (count: number): string => 'x\n'.repeat(count);
// Taken apart, so that the rule does not find its own examples.
const host = ['registry', 'npmjs', 'org'].join('.');
const unfinished = ['TO', 'DO'].join('');
const sleep = ['await', 'new Promise((resolve) => setTimeout(resolve, 100));'].join(' ');

test('a file of 250 lines is allowed, one of 251 is a problem', async () => {
  const repository = inventRepository({ 'b.sql': lines(250), 'c.sql': lines(251) });
  assert.deepEqual((await sizes.inspect(repository)).problems, [
    'c.sql: 251 lines, at most 250 are allowed',
  ]);
});

test('a function has at most 70 lines of its own; functions inside it count for themselves', async () => {
  const outer = (own: number) =>
    `function outer() {\n${lines(own - 2)}const inner = () => {\n${lines(50)}};\n}\n`;
  const repository = inventRepository({ 'a.ts': outer(70), 'b.ts': `\n${outer(71)}` });
  assert.deepEqual((await sizes.inspect(repository)).problems, [
    'b.ts:2: outer has 71 lines, at most 70 are allowed',
  ]);
});

test('the README has its own limits', async () => {
  for (const count of [69, 101]) {
    const { problems } = await sizes.inspect(inventRepository({ 'README.md': lines(count) }));
    assert.deepEqual(problems, [`README.md: ${count} lines`]);
  }
});

test('a line of 101 columns is a problem unless one string fills it or a page stands in it', () => {
  const long = 'x'.repeat(99);
  const problem = 'columns, at most 100 are allowed';
  assert.deepEqual(tooWideIn('a.sql', `-- ${long.slice(3)}\n-- ${long}`), [
    `a.sql:2: 102 ${problem}`,
  ]);
  assert.deepEqual(tooWideIn('a.ts', `test('${long}', () => {});`), []);
  assert.deepEqual(tooWideIn('a.ts', `page = \`\n${long} text\n\`;`), []);
  assert.deepEqual(tooWideIn('a.ts', `sql = \`\nSELECT ${long}\n\`;`), [`a.ts:2: 106 ${problem}`]);
  assert.deepEqual(tooWideIn('a.ts', `// ${long}`), [`a.ts:1: 102 ${problem}`]);
  assert.deepEqual(tooWideIn('a.ts', `f('a', ${long});`), [`a.ts:1: 108 ${problem}`]);
});

test('registry hosts and unfinished work are found anywhere, with their line', () => {
  assert.deepEqual(forbiddenWordsIn('docs/x.md', `\nhttps://${host}/pg`), [
    "docs/x.md:2: names a package registry's host",
  ]);
  assert.deepEqual(forbiddenWordsIn('a/src/x.ts', `// ${unfinished}: later`), [
    'a/src/x.ts:1: leaves work behind in a comment',
  ]);
});

test('tests that are left out and sleeps are found in tests only', () => {
  for (const word of ['only', 'skip']) {
    assert.equal(forbiddenWordsIn('a/test/x.test.ts', `test.${word}('…')`).length, 1, word);
  }
  assert.equal(forbiddenWordsIn('a/test/x.test.ts', sleep).length, 1);
  assert.equal(
    forbiddenWordsIn('a/test/x.test.ts', sleep.replace('(r', '(\n  r')).length,
    1,
    'over two lines',
  );
  assert.deepEqual(forbiddenWordsIn('a/src/x.ts', sleep), []);
  assert.deepEqual(forbiddenWordsIn('a/test/until.ts', sleep), [], 'a condition that asks again');
});

test('a lockfile with an address, or without a package of another platform, is refused', async () => {
  const packages = {
    'node_modules/a': {
      resolved: `https://${host}/a.tgz`,
      optionalDependencies: { 'a-linux': '1', 'a-darwin': '1' },
    },
    'node_modules/a-linux': {},
    'node_modules/ours': { resolved: 'tools', link: true },
  };
  const { problems } = await lockfile.inspect(
    inventRepository({ 'package-lock.json': JSON.stringify({ packages }) }),
  );
  assert.deepEqual(problems, [
    'package-lock.json: node_modules/a has an address (see .npmrc)',
    'package-lock.json: node_modules/a wants a-darwin, which is missing: choose a version that has it',
  ]);
});

test('the first line of a station names its own number, and its file does its work', async () => {
  const repository = inventRepository({
    'services/order/src/take/routes.ts':
      "// Station 1 of 9: request. From: a client. To: station 2.\napp.post('/api/orders', {});",
    'packages/contracts/src/orders/api.ts': '// Station 3 of 9\n',
    'services/order/src/take/place-order.ts': "import x from 'y';\n// Station 3 of 9\n",
  });
  const { problems } = await stations.inspect(repository);
  assert.deepEqual(problems.slice(0, 5), [
    'packages/contracts/src/orders/api.ts: first line must begin with "// Station 2 of 9"',
    'packages/contracts/src/orders/api.ts: does not contain /export const NewOrder\\b/, its work',
    'services/order/src/take/place-order.ts: first line must begin with "// Station 3 of 9"',
    'services/order/src/take/place-order.ts: does not contain /\\.place\\(/, its work',
    'packages/platform/src/messaging/outbox-relay.ts: is missing',
  ]);
  assert.equal(problems.length, 10);
});
