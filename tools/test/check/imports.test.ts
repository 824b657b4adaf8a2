import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { imports, judgeCruise } from '../../src/check/imports.ts';
import { inventRepository } from './invented-repository.ts';

const ours = join(import.meta.dirname, '../../..');

/**
 * Writes the files into a folder of their own, with this repository's rules and programs, and
 * cruises them.
 */
async function cruise(t: TestContext, texts: Record<string, string>): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), 'imports-'));
  t.after(() => rm(root, { recursive: true, force: true }));
  for (const path of ['node_modules', '.dependency-cruiser.mjs', 'tsconfig.json']) {
    await symlink(join(ours, path), join(root, path));
  }
  for (const [path, text] of Object.entries(texts)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  const { problems } = await imports.inspect(inventRepository(texts, root));
  return problems.sort();
}

test('imports downwards are allowed, types included', async (t) => {
  const problems = await cruise(t, {
    'packages/contracts/src/event.ts': 'export type Event = { id: string };\n',
    'packages/platform/src/process/log.ts':
      "import type { Event } from '../../../contracts/src/event.ts';\nexport const log = (e: Event) => e;\n",
    'services/order/src/main.ts':
      "import { log } from '../../../packages/platform/src/process/log.ts';\nlog({ id: '1' });\n",
  });
  assert.deepEqual(problems, []);
});

test('imports upwards, sideways, in circles and of tests are problems, types included', async (t) => {
  const problems = await cruise(t, {
    'packages/contracts/src/event.ts':
      "import type { Log } from '../../platform/src/process/log.ts';\nexport type Event = { id: string; log: Log };\n",
    'packages/platform/src/process/log.ts':
      "import type { Event } from '../../../contracts/src/event.ts';\nexport type Log = (e: Event) => void;\n",
    'services/order/src/main.ts':
      "import { ship } from '../../fulfillment/src/main.ts';\nship();\n",
    'services/fulfillment/src/main.ts':
      "import { fake } from '../test/fake.ts';\nexport const ship = () => fake;\n",
    'services/fulfillment/test/fake.ts': 'export const fake = 1;\n',
    'lab/src/audit/main.ts':
      "import { ship } from '../../../services/fulfillment/src/main.ts';\nship();\n",
  });
  assert.deepEqual(
    problems.map((problem) => problem.split(': ').slice(0, 2).join(': ')),
    [
      'lab/src/audit/main.ts: lab-sees-the-system-from-outside',
      'packages/contracts/src/event.ts: contracts-import-no-other-workspace',
      'packages/contracts/src/event.ts: no-cycles',
      'services/fulfillment/src/main.ts: src-never-imports-test',
      'services/order/src/main.ts: services-never-import-each-other',
    ],
  );
});

test('a module that nobody imports is a problem, an entry point is not', async (t) => {
  const problems = await cruise(t, {
    'services/order/src/main.ts': 'export {};\n',
    'services/order/src/forgotten.ts': 'export const forgotten = 1;\n',
  });
  assert.deepEqual(problems, ['services/order/src/forgotten.ts: no-module-that-nobody-imports']);
});

test('a source file that the cruiser passed over is a problem', () => {
  const report = { modules: [{ source: 'a/src/x.ts' }], summary: { violations: [] } };
  assert.deepEqual(judgeCruise(report, ['a/src/x.ts', 'a/src/y.ts', 'a/test/z.ts']).problems, [
    'a/src/y.ts: was not cruised',
  ]);
});
