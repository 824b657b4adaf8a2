import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { freshDocs, writeDocs } from '../src/generated-docs.ts';
import { inventRepository } from './check/invented-repository.ts';

const docs = [{ file: 'docs/configuration.md', generate: async () => 'PORT\n' }];

test('a document is fresh as long as it is what its generator gives', async () => {
  const problemsOf = async (texts: Record<string, string>) =>
    (await freshDocs(docs).inspect(inventRepository(texts))).problems;
  assert.deepEqual(await problemsOf({ 'docs/configuration.md': 'PORT\n' }), []);
  assert.deepEqual(await problemsOf({ 'docs/configuration.md': 'HOST\n' }), [
    'docs/configuration.md: is stale: npm run docs',
  ]);
  assert.deepEqual(await problemsOf({}), ['docs/configuration.md: is missing: npm run docs']);
});

test('documents are written with the folders they need', async (t) => {
  const root = await mkdtemp(join(tmpdir(), 'docs-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  await writeDocs(docs, root);
  assert.equal(await readFile(join(root, 'docs/configuration.md'), 'utf8'), 'PORT\n');
});
