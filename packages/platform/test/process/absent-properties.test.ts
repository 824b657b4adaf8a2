import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import Type from 'typebox';
import { createValidator } from '../../src/process/validator.ts';

const Inner = Type.Object(
  {
    needed: Type.String(),
    may: Type.Optional(Type.Number()),
    any: Type.Optional(Type.Unknown()),
    nullable: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  },
  { additionalProperties: false },
);
const validator = createValidator(
  Type.Object({ inner: Type.Optional(Inner), list: Type.Optional(Type.Array(Inner)) }),
);

test('null for an optional property means that it is absent, at every depth', () => {
  const value = { inner: null, list: [{ needed: 'x', may: null }] };
  assert.ok(validator.accepts(value));
  assert.deepEqual(value, { list: [{ needed: 'x' }] });
});

test('null stays where the schema allows it', () => {
  const value = { inner: { needed: 'x', may: null, any: null, nullable: null } };
  assert.ok(validator.accepts(value));
  assert.deepEqual(value, { inner: { needed: 'x', any: null, nullable: null } });
});

test('null for a required property, an element or an unknown property is a fault', () => {
  for (const value of [
    { inner: { needed: null } },
    { list: [null] },
    { inner: { needed: 'x', unknown: null } },
  ]) {
    assert.equal(validator.accepts(structuredClone(value)), false);
    assert.equal(validator.faults(value).length, 1);
  }
});

test('a value with nulls is accepted as the value without them', () => {
  const plain = { noNullPrototype: true };
  const inner = fc.record({ needed: fc.string(), may: fc.option(fc.integer()) }, plain);
  fc.assert(
    fc.property(fc.record({ inner: fc.option(inner), list: fc.array(inner) }, plain), (value) => {
      const without = JSON.parse(
        JSON.stringify(value, (_, v) => (v === null ? undefined : (v as unknown))),
      );
      assert.ok(validator.accepts(value));
      assert.deepEqual({ ...value }, without);
    }),
  );
});
