import assert from 'node:assert/strict';
import { test } from 'node:test';
import { synonymsIn } from '../../src/check/synonyms.ts';

test('a word that was given up is found with its line and the word to use', () => {
  assert.deepEqual(synonymsIn('docs/x.md', 'one\nIt is held back.'), [
    'docs/x.md:2: "held back": the word is put off',
  ]);
  assert.deepEqual(synonymsIn('a/src/x.ts', "log.info('nobody was told');"), [
    'a/src/x.ts:1: "\'nobody was told\'": the word is log, publish, report or notify',
  ]);
});

test('history and comments keep their words', () => {
  assert.deepEqual(synonymsIn('CHANGELOG.md', 'held back'), []);
  assert.deepEqual(synonymsIn('a/src/x.ts', '// nobody was told'), []);
});
