import assert from 'node:assert/strict';
import { test } from 'node:test';
import Type from 'typebox';
import { createValidator } from '../../src/process/validator.ts';

const Thing = Type.Object({
  name: Type.String({ minLength: 2, maxLength: 4 }),
  count: Type.Integer({ minimum: 1, maximum: 9 }),
  parts: Type.Array(Type.Number(), { minItems: 1, maxItems: 2 }),
  at: Type.String({ format: 'date-time' }),
});

test('faults are sentences that say what is right', () => {
  const validate = createValidator(Thing);
  const details = (thing: object) =>
    validate.faults(thing).map(({ pointer, detail }) => `${pointer} ${detail}`);
  assert.deepEqual(details({ name: 1, count: 1.5, parts: {}, at: 'noon' }), [
    '/name must be a string',
    '/count must be an integer',
    '/parts must be an array',
    '/at must be a time such as 2026-01-20T21:09:00Z (in an address write %2B for +)',
  ]);
  const at = '2026-01-20T21:09:00Z';
  assert.deepEqual(details({ name: 'x', count: 0, parts: [], at }), [
    '/name must have at least 2 characters',
    '/count must be at least 1',
    '/parts must have at least 1 element',
  ]);
  assert.deepEqual(details({ name: 'xxxxx', count: 10, parts: [1, 2, 3], at }), [
    '/name must not be longer than 4 characters',
    '/count must be at most 9',
    '/parts must have at most 2 elements',
  ]);
});
