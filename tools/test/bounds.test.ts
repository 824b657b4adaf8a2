import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '../..');
const read = (path: string) => readFile(join(root, path), 'utf8');

/** A product of whole numbers, as constants are written: `256 * 1024`. */
const productOf = (text: string): number =>
  text.split('*').reduce((product, factor) => product * Number(factor.replaceAll('_', '')), 1);

test('the bounds in bytes that ARCHITECTURE.md lists are those of the code', async () => {
  const rows = [
    ...(await read('ARCHITECTURE.md')).matchAll(
      /^\| [^|]+ \| `(\S+\.ts)` `(\w+)` \| ([\d,]+) \|/gm,
    ),
  ];
  assert.ok(rows.length >= 10, `${rows.length} rows`);
  for (const [, path = '', name, listed = ''] of rows) {
    const declared = new RegExp(`^(?:export )?const ${name} = ([\\d_* ]+);$`, 'm').exec(
      await read(path),
    )?.[1];
    assert.equal(
      declared && productOf(declared),
      Number(listed.replaceAll(',', '')),
      `${path} ${name}`,
    );
  }
});
