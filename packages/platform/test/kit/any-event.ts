import fc from 'fast-check';
import { momentOf } from '../../src/kafka/stream.ts';
import type { IncomingEvent } from '../../src/messaging/broker.ts';

const anyText = fc.string({ unit: 'binary', maxLength: 40 });
const anyName = fc.oneof(fc.constant('event-id'), fc.constant('traceparent'), anyText);
const deep = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
const anyTimestamp = fc.oneof(
  fc.constantFrom(-1n, 0n, 1_768_943_340_000_000n, 1_768_943_340_000_000_000n),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
);

/** `body` with some of its properties, at any depth, replaced by what a stranger may write. */
function damaged(body: object): fc.Arbitrary<string> {
  const strange = fc.oneof(
    fc.constant(null),
    anyText,
    fc.constantFrom('\u0000', '0000-00-00T00:00:00Z', '9999-12-31T23:59:60Z', '+292277-01-01'),
    fc.double(),
    fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    fc.jsonValue(),
  );
  const places = placesOf(body);
  return fc
    .array(fc.tuple(fc.constantFrom(...places), strange), { maxLength: 3 })
    .map((changes) => {
      const copy = structuredClone(body) as Record<string, unknown>;
      for (const [path, value] of changes) put(copy, path, value);
      return JSON.stringify(copy);
    });
}

function placesOf(value: object, path: string[] = []): string[][] {
  return Object.entries(value).flatMap(([name, inner]) => {
    const place = [...path, name];
    const isObject = typeof inner === 'object' && inner !== null;
    return [place, ...(isObject ? placesOf(inner, place) : []), [...path, 'a\u0000stranger']];
  });
}

function put(root: Record<string, unknown>, path: string[], value: unknown): void {
  let at: unknown = root;
  for (const name of path.slice(0, -1)) at = (at as Record<string, unknown> | null)?.[name];
  if (typeof at === 'object' && at !== null)
    (at as Record<string, unknown>)[path.at(-1) as string] = value;
}

/** What a foreign producer may put where `bodyOf` gives a body that its reader takes. */
export function anyEvent(topic: string, bodyOf: () => object): fc.Arbitrary<IncomingEvent> {
  const value = fc.oneof(
    { weight: 6, arbitrary: fc.constant(0).chain(() => damaged(bodyOf())) },
    { weight: 1, arbitrary: fc.jsonValue().map((json) => JSON.stringify(json)) },
    { weight: 1, arbitrary: fc.constantFrom(0, 10, 100_000).map(deep) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(1, 10_000).map((depth) => {
        const text = JSON.stringify({ ...bodyOf(), metadata: 0, stranger: 1 });
        return text.replace('"metadata":0', `"metadata":{"source":${deep(depth)}}`);
      }),
    },
  );
  const bytes = fc.oneof(
    { weight: 8, arbitrary: value.map((text) => Buffer.from(text)) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 100 }).map((array) => Buffer.from(array)) },
  );
  let offset = 0n;
  return fc
    .record({
      value: bytes,
      key: fc.option(anyText, { nil: undefined }),
      headers: fc.dictionary(anyName, anyText, { maxKeys: 4 }),
      timestamp: anyTimestamp,
      partition: fc.integer({ min: 0, max: 11 }),
    })
    .map(({ timestamp, ...rest }) => {
      offset += 1n;
      return { topic, offset, publishedAt: momentOf(timestamp), ...rest };
    });
}
