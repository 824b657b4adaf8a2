import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandsIn, documents, filesNamedIn, relativeLinksIn } from '../../src/check/documents.ts';
import { inventRepository } from './invented-repository.ts';

const complete = {
  'package.json': '{ "scripts": { "start": "x", "test": "x", "start:kafka": "x" } }',
  'README.md':
    '`npm ci && npm start`, then [design](ARCHITECTURE.md#stations) and [all of it](docs/).',
  'ARCHITECTURE.md': 'Stations',
  'CONTRIBUTING.md': 'Run `npm test`.',
  'docs/operating.md': 'Back to the [read me](../README.md).',
};

test('commands and links that exist are no problem', async () => {
  assert.deepEqual(await documents.inspect(inventRepository(complete)), {
    problems: [],
    notes: [],
  });
});

test('a command that package.json does not have is named with its document', async () => {
  const { problems } = await documents.inspect(
    inventRepository({ ...complete, 'docs/operating.md': 'npm run replay -- F' }),
  );
  assert.deepEqual(problems, ['docs/operating.md: package.json has no script "replay"']);
});

test('a link is looked for from the folder of its document', async () => {
  const { problems } = await documents.inspect(
    inventRepository({ ...complete, 'docs/operating.md': '[x](README.md)' }),
  );
  assert.deepEqual(problems, ['docs/operating.md: links to README.md, which does not exist']);
});

test('a missing document is a problem, not a pass', async () => {
  const { 'CONTRIBUTING.md': _missing, ...rest } = complete;
  assert.deepEqual((await documents.inspect(inventRepository(rest))).problems, [
    'CONTRIBUTING.md: is missing',
  ]);
});

test('commands are found with their colons and without what follows', () => {
  assert.deepEqual(
    commandsIn('npm run start:kafka. `npm run -s check`; npm test, npm ci; npm run check'),
    ['start:kafka', 'check', 'test'],
  );
});

test('addresses, anchors and links inside code are not looked for', () => {
  const markdown =
    '[a](https://example.org) [b](#here) `[c](c.md)` [d](d.md "title")\n```\n[e](e.md)\n```\n[f]: <f.md>\n';
  assert.deepEqual(relativeLinksIn(markdown), ['d.md', 'f.md']);
});

test('a file that a document names in code must exist, by its whole path or the end of it', async () => {
  const text = '`loop.ts`, `platform/loop.ts`, `packages/platform/`, `gone.ts`, `lab/gone`';
  const files = { 'packages/platform/src/loop.ts': '', 'lab/src/x.ts': '', 'docs/notes.md': text };
  const { problems } = await documents.inspect(inventRepository({ ...complete, ...files }));
  assert.deepEqual(problems, [
    'docs/notes.md: names gone.ts, which does not exist',
    'docs/notes.md: names lab/gone, which does not exist',
  ]);
});

test('names of files are found in code only, without what is a pattern or an ending', () => {
  const markdown =
    'plain.ts `a.ts` `src/*.ts` `.test.ts`\n```sh\nnode --test lab/test/b.ts --x=c.ts\n```\n`x.md`';
  assert.deepEqual(filesNamedIn(markdown), ['a.ts', 'lab/test/b.ts', 'x.md']);
});
