import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Answer, readLookUpAnswer, readShipAnswer } from '../../src/ship/provider-answer.ts';

const ours = '01900000-0000-7000-8000-000000000001';
const answer = (status: number, body: unknown, more: object = {}): Answer => ({
  status,
  contentType: 'application/json',
  text: typeof body === 'string' ? body : JSON.stringify(body),
  retryAfter: undefined,
  ...more,
});
const page = '<html><body>default backend - 404</body></html>';
const html = { contentType: 'text/html; charset=utf-8' };

const posts: [string, Answer, object][] = [
  [
    'null where the contract has text',
    answer(201, { reference: null, trackingNumber: 'T', carrier: null, createdAt: null }),
    { kind: 'shipped', trackingNumber: 'T', carrier: null },
  ],
  [
    'a number with more digits than a double keeps',
    answer(200, `{"trackingNumber": 9205590164917312751089}`),
    { kind: 'shipped', trackingNumber: '9205590164917312751089' },
  ],
  [
    'a number with blanks around it',
    answer(201, { trackingNumber: '\t T 1 \n' }),
    { kind: 'shipped', trackingNumber: 'T 1' },
  ],
  [
    'our reference in capitals',
    answer(201, { reference: ours.toUpperCase(), trackingNumber: 'T' }),
    { kind: 'shipped' },
  ],
  [
    "another order's reference",
    answer(201, { reference: 'another', trackingNumber: 'T' }),
    { kind: 'unknown', isForeign: true },
  ],
  [
    'no tracking number',
    answer(201, { reference: ours }),
    { kind: 'unknown', error: 'booked, but unreadable: answer 201 has no usable tracking number' },
  ],
  ...[null, '', '  ', true, 1.5, -1, [], {}, 'a\u0007b', '\ud800', 'x'.repeat(501)].map(
    (trackingNumber): [string, Answer, object] => [
      `the tracking number ${JSON.stringify(trackingNumber).slice(0, 20)}`,
      answer(201, { trackingNumber }),
      { kind: 'unknown' },
    ],
  ),
  [
    'a year that no database keeps',
    answer(201, { trackingNumber: 'T', createdAt: '+275760-09-13T00:00:00Z' }),
    { kind: 'shipped' },
  ],
  ...[301, 307, 308, 401, 402, 403, 404, 405, 406, 407, 410, 421, 426, 431, 451].map(
    (status): [string, Answer, object] => [
      `${status} with a JSON body`,
      answer(status, { detail: 'account suspended' }),
      { kind: 'misconfigured', error: `${status} account suspended` },
    ],
  ),
  ['400 with a page', answer(400, page, html), { kind: 'misconfigured' }],
  [
    '413 with a page that says it is JSON',
    answer(413, page),
    { kind: 'misconfigured', error: '413 with a page instead of an answer' },
  ],
  ['422 without a body', answer(422, ''), { kind: 'misconfigured' }],
  [
    '422 as plain text',
    answer(422, 'no', { contentType: 'text/plain' }),
    { kind: 'misconfigured' },
  ],
  [
    '422 as a problem document',
    answer(422, { detail: 'unknown country' }, { contentType: 'application/problem+json' }),
    { kind: 'refused', error: 'unknown country' },
  ],
  ['JSON that says it is HTML', answer(400, { message: 'no' }, html), { kind: 'refused' }],
  ['302', answer(302, ''), { kind: 'unknown' }],
  ['409 with a page', answer(409, page, html), { kind: 'unknown' }],
  ['429 with a page', answer(429, page, html), { kind: 'not_booked', status: 429 }],
  ['204', answer(204, ''), { kind: 'unknown' }],
  [
    'a certificate that is not trusted',
    { error: 'expired', wasSent: false, isUntrusted: true },
    { kind: 'misconfigured' },
  ],
];

for (const [name, given, expected] of posts) {
  test(`a POST answered by ${name} is ${Object.values(expected)[0]}`, () => {
    assert.partialDeepStrictEqual(readShipAnswer(given, ours), expected);
  });
}

const lookUps: [string, Answer, object][] = [
  ['a 404 of the provider', answer(404, { detail: 'unknown reference' }), { kind: 'not_found' }],
  ['a 404 with any JSON', answer(404, 'null'), { kind: 'not_found' }],
  ["a gateway's 404", answer(404, page, html), { kind: 'no_answer' }],
  [
    "a gateway's 404 in plain text",
    answer(404, '404', { contentType: 'text/plain' }),
    { kind: 'no_answer' },
  ],
  ['an empty 404', answer(404, ''), { kind: 'no_answer' }],
  ['410 with JSON', answer(410, {}), { kind: 'no_answer' }],
  [
    "another order's shipment",
    answer(200, { reference: 'x', trackingNumber: 'T' }),
    { kind: 'no_answer', isForeign: true },
  ],
  ['a shipment without a number', answer(200, { reference: ours }), { kind: 'no_answer' }],
];

for (const [name, given, expected] of lookUps) {
  test(`a look-up answered by ${name} is ${Object.values(expected)[0]}`, () => {
    assert.partialDeepStrictEqual(readLookUpAnswer(given, ours), expected);
  });
}

const anyJson = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      reference: fc.oneof(fc.constant(ours), fc.string(), fc.jsonValue()),
      trackingNumber: fc.oneof(fc.string({ unit: 'binary' }), fc.integer(), fc.jsonValue()),
      carrier: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
      createdAt: fc.oneof(
        fc.date({ noInvalidDate: true }).map(String),
        fc.string(),
        fc.jsonValue(),
      ),
      detail: fc.oneof(fc.string({ unit: 'binary' }), fc.jsonValue()),
    },
    { requiredKeys: [] },
  ),
);
const anyAnswer: fc.Arbitrary<Answer> = fc.oneof(
  {
    weight: 1,
    arbitrary: fc.record({
      error: fc.string(),
      wasSent: fc.boolean(),
      isUntrusted: fc.constant(false),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      status: fc.oneof(fc.constantFrom(200, 201, 404, 422), fc.integer({ min: 200, max: 999 })),
      contentType: fc.option(
        fc.oneof(
          fc.constantFrom('application/json', 'application/problem+json', 'text/html'),
          fc.string(),
        ),
        { nil: undefined },
      ),
      text: fc.oneof(
        anyJson.map((value) => JSON.stringify(value)),
        fc.string({ unit: 'binary' }),
        fc.constant('['.repeat(200_000)),
      ),
      retryAfter: fc.option(fc.oneof(fc.string(), fc.double().map(String)), { nil: undefined }),
    }),
  },
);

test('whatever comes, it has one meaning: only ours ships, only a definite answer refuses', () => {
  const property = fc.property(anyAnswer, (given) => {
    const body = 'text' in given ? parsed(given.text) : undefined;
    for (const outcome of [readShipAnswer(given, ours), readLookUpAnswer(given, ours)]) {
      if (outcome.kind === 'shipped') {
        const { trackingNumber, carrier, shippedAt } = outcome;
        for (const text of [trackingNumber, carrier ?? 'c'])
          assert.ok(
            text !== '' && text === text.trim() && text.isWellFormed() && !/\p{Cc}/u.test(text),
          );
        assert.match(shippedAt, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
        const { reference } = body as { reference?: unknown };
        const isForeign = typeof reference === 'string' && reference.trim() !== '';
        assert.ok(!isForeign || reference.trim().toLowerCase() === ours);
      }
      if (outcome.kind === 'refused' || outcome.kind === 'not_found')
        assert.notEqual(body, undefined);
      if (outcome.kind === 'not_found') assert.ok('status' in given && given.status === 404);
      if ('retryAfterMs' in outcome) assert.ok((outcome.retryAfterMs ?? 0) >= 0);
      if ('error' in outcome)
        assert.ok(outcome.error.length <= 600 && !outcome.error.includes('\u0000'));
    }
    if ('wasSent' in given && given.wasSent)
      assert.equal(readShipAnswer(given, ours).kind, 'unknown');
  });
  fc.assert(property, { numRuns: 3_000 });
});

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
