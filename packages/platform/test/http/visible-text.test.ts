import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VisibleText } from '@orders/contracts/fields';
import { createValidator } from '../../src/process/validator.ts';

const name = createValidator(VisibleText(200, 'A name'));

const refused: [string, string][] = [
  ['only zero-width spaces', '\u200b\ufeff'],
  ['only Hangul fillers', '\u3164\u115f \uffa0'],
  ['only a blank Braille pattern', '\u2800'],
  ['an escape sequence of terminals', 'a\u001b[2Jb'],
  ['a control character of C1', 'a\u009bb'],
  ['a bidirectional override', 'a\u202etxt.exe'],
  ['a bidirectional isolate', 'a\u2066b'],
];

for (const [what, text] of refused) {
  test(`a name is refused with ${what}`, () => assert.equal(name.accepts(text), false));
}

test('a name is accepted in letters of every direction, with their marks', () => {
  for (const text of ['דוד \u200fabc', 'नि\u200d', 'é', '\u200b1', '😀'])
    assert.ok(name.accepts(text));
});

test('tabs and line breaks are kept', () => {
  assert.ok(name.accepts('first\n\tsecond\r\n\u2028third'));
});
