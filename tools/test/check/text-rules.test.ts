import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileSizes } from '../../src/check/file-sizes.ts';
import { forbiddenWordsIn } from '../../src/check/forbidden-words.ts';
import { lockfile } from '../../src/check/lockfile.ts';
import { stations } from '../../src/check/stations.ts';
import { inventRepository } from './invented-repository.ts';

const lines = (count: number): string => 'x\n'.repeat(count);
// Taken apart, so that the rule does not find its own examples.
const host = ['registry', 'npmjs', 'org'].join('.');
const unfinished = ['TO', 'DO'].join('');
const sleep = ['await', 'new Promise((resolve) => setTimeout(resolve, 100));'].join(' ');

test('a file of 300 lines is allowed and noted from 201 on, one of 301 is a problem', async () => {
  const repository = inventRepository({
    'a.ts': lines(200),
    'b.ts': lines(201),
    'c.ts': lines(300),
    'd.sql': lines(301),
  });
  assert.deepEqual(await fileSizes.inspect(repository), {
    problems: ['d.sql: 301 lines, at most 300 are allowed'],
    notes: ['b.ts: 201 lines', 'c.ts: 300 lines'],
  });
});

test('the README has its own limit', async () => {
  const { problems } = await fileSizes.inspect(inventRepository({ 'README.md': lines(151) }));
  assert.deepEqual(problems, ['README.md: 151 lines, at most 150 are allowed']);
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

test('the first line of a station names its own number', async () => {
  const repository = inventRepository({
    'services/order/src/take/routes.ts':
      '// Station 1 of 9: request. From: a client. To: station 2.\n',
    'packages/contracts/src/orders/api.ts': '// Station 3 of 9\n',
    'services/order/src/take/place-order.ts': "import x from 'y';\n// Station 3 of 9\n",
  });
  const { problems } = await stations.inspect(repository);
  assert.deepEqual(problems.slice(0, 3), [
    'packages/contracts/src/orders/api.ts: first line must begin with "// Station 2 of 9"',
    'services/order/src/take/place-order.ts: first line must begin with "// Station 3 of 9"',
    'packages/platform/src/messaging/outbox-relay.ts: is missing',
  ]);
  assert.equal(problems.length, 8);
});
