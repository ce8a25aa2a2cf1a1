import fc from 'fast-check';
import type { Step } from '../dialogue.ts';

/**
 * Random dialogues with a server about a few streams and event ids, so that they meet again: calls as recorded/README.md
 * writes them, without their answers.
 */

const MAX_UINT64 = '18446744073709551615';
const STREAMS = ['$STREAM1', '$STREAM2', '$$$STREAM1', '$$$STREAM2', '$own-$STREAM1', '$$$$$STREAM1'];

const streamName = fc.oneof(
  { weight: 10, arbitrary: fc.constant('$STREAM1') },
  { weight: 6, arbitrary: fc.constantFrom(...STREAMS) },
);
const originalName = fc.oneof(
  { weight: 5, arbitrary: fc.constant('$STREAM1') },
  { weight: 2, arbitrary: fc.constant('$STREAM2') },
);
const id = fc.integer({ min: 1, max: 9 }).map((n) => `$ID${n}`);

const metadataTexts = fc.oneof(
  fc.constantFrom(
    '{"$maxCount":1}',
    '{"$maxCount":3}',
    '{"$maxCount":35}',
    '{"$tb":1}',
    '{"$tb":2}',
    '{"$tb":0}',
    '{"$tb":34}',
    '{"$tb":99}',
    '{"$tb":9223372036854775807}',
    '{"$tb":9223372036854775806}',
    '{"$maxAge":3600}',
    '{"$maxAge":0}',
    '{"$maxCount":2,"$tb":1}',
    '{"$maxCount":2,"$tb":3,"own":{"a":[1.50,null]}}',
    '{"$cacheControl":60,"$maxCount":2}',
    '{"$acl":{"$r":"$admins","$w":["$all"]},"$maxCount":2}',
    '{"$acl":{"$r":["a","b"]},"$maxCount":2}',
    '{"$acl":"x","$maxCount":2}',
    '{"$acl":null,"$maxCount":2}',
    '{"$maxCount":"2"}',
    '{"$maxCount":null,"$tb":1}',
    '{"$maxCount":-1,"$tb":1}',
    '{"$maxCount":0}',
    '{"$maxCount":1.0,"$tb":1}',
    '{"$maxCount":1e0,"$tb":1}',
    '{"$maxCount":1,"$maxCount":3}',
    '{"$MaxCount":1}',
    '{"$tb":"1"}',
    '{"$tb":-1,"$maxCount":2}',
    '{"$tb":9223372036854775808,"$maxCount":2}',
    '{"$maxCount":2, }',
    '{"$maxCount":2} x',
    '{"$maxCount":2,"a":tru',
    '// c\n{"$maxCount":2}',
    "{'$maxCount':2}",
    '{$maxCount:2}',
    '[{"$maxCount":2}]',
    '{"x":{"$maxCount":1}}',
    '{"$maxCount":true}',
    '{"$tmp":true,"$maxCount":2}',
    '{"$tmp":1,"$maxCount":2}',
    '{"$maxAge":"1","$maxCount":2}',
    '{"$maxAge":922337203686,"$maxCount":2}',
    '{"$cacheControl":-5,"$maxCount":2}',
    '{"$cacheControl":"1","$maxCount":2}',
    '{}',
    '',
    'null',
    '"$maxCount"',
    'no json',
    '\ufeff{"$maxCount":2}',
    ' {"$maxCount":2}\n',
    '{"own":"Übung ✓ \\u0000"}',
  ),
);
const linkTexts = fc.oneof(
  fc.tuple(fc.integer({ min: -2, max: 6 }), streamName).map(([revision, stream]) => `${revision}@${stream}`),
  fc.constantFrom(
    '@$STREAM1',
    'x@$STREAM1',
    '0@',
    '0',
    '',
    '0@$STREAM1@',
    '0 @$STREAM1',
    ' 0@$STREAM1',
    '+0@$STREAM1',
    '0x0@$STREAM1',
    '0@$STREAM1 ',
    '99999999999999999999@$STREAM1',
    '9223372036854775807@$STREAM1',
    '1@$all',
    '1,0@$STREAM1',
  ),
);

interface EventShape {
  readonly id: string;
  readonly form: 'string' | 'structured';
  readonly type: string;
  readonly contentType: string;
  readonly data: string;
  readonly customMetadata: string;
}

const eventStep = (shape: EventShape): Step => ({
  id:
    shape.form === 'string'
      ? { string: shape.id }
      : { structured: { mostSignificantBits: `${shape.id}.msb`, leastSignificantBits: `${shape.id}.lsb` } },
  metadata: { type: shape.type, 'content-type': shape.contentType },
  data: shape.data,
  customMetadata: shape.customMetadata,
});

const plain = (eventId: string, type = 'a-type', data = '{}'): Step =>
  eventStep({ id: eventId, form: 'string', type, contentType: 'application/json', data, customMetadata: '' });

const anyEvent = fc
  .record({
    id,
    form: fc.constantFrom('string' as const, 'string' as const, 'structured' as const),
    type: fc.constantFrom('a-type', 'a-type', 'b-type', '$c-type', 'Ütype', ' '),
    contentType: fc.constantFrom('application/json', 'application/json', 'application/octet-stream', '', 'text'),
    data: fc.constantFrom('{}', '', '{"a":1}', 'ü\u0000'),
    customMetadata: fc.constantFrom('', '', '{"m":1}', 'x'),
  })
  .map(eventStep);
const linkEvent = fc.tuple(id, linkTexts).map(([eventId, data]) => plain(eventId, '$>', data));
const metadataEvent = fc
  .tuple(
    id,
    metadataTexts,
    fc.constantFrom('$metadata', '$metadata', 'other'),
    fc.constantFrom('application/json', 'application/json', 'x'),
  )
  .map(([eventId, data, type, contentType]) =>
    eventStep({ id: eventId, form: 'string', type, contentType, data, customMetadata: '' }),
  );
const plainEvent = id.map((eventId) => plain(eventId));

const events = fc.oneof(
  { weight: 8, arbitrary: fc.array(plainEvent, { minLength: 1, maxLength: 4 }) },
  { weight: 3, arbitrary: fc.array(anyEvent, { minLength: 1, maxLength: 3 }) },
  { weight: 2, arbitrary: fc.array(linkEvent, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: fc.constant([]) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.integer({ min: 100, max: 130 }), fc.integer({ min: 10, max: 70 }))
      .map(([from, count]) => Array.from({ length: count }, (_, index) => plain(`$ID${from + index}`))),
  },
);

const expectation = (field: string): fc.Arbitrary<Step> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant({ any: {} }) },
    { weight: 3, arbitrary: fc.constant({ noStream: {} }) },
    { weight: 3, arbitrary: fc.constant({ streamExists: {} }) },
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 5 }).map((n) => ({ [field]: String(n) })) },
    {
      weight: 1,
      arbitrary: fc
        .constantFrom(MAX_UINT64, '9223372036854775807', '9223372036854775806', '9223372036854775808', '2147483648')
        .map((revision) => ({ [field]: revision })),
    },
  );

const identified = (stream: string): Step => ({ streamIdentifier: { streamName: stream } });

const appendTo = (stream: string, expected: Step, sent: readonly Step[]): Step => ({
  call: 'Streams.Append',
  request: [{ options: { ...identified(stream), ...expected } }, ...sent.map((event) => ({ proposedMessage: event }))],
});
/** Effects that the server itself carries out after its answer have come about. */
const SETTLED: Step = { pauseMs: 60 };

const append = fc
  .tuple(streamName, expectation('revision'), events)
  .map(([stream, expected, sent]) => [appendTo(stream, expected, sent), SETTLED]);

const setMetadata = fc
  .tuple(originalName, expectation('revision'), fc.array(metadataEvent, { minLength: 1, maxLength: 2 }))
  .map(([stream, expected, sent]) => [
    appendTo(`$$${stream}`, 'revision' in expected ? { any: {} } : expected, sent),
    SETTLED,
  ]);

const remove = (method: 'Delete' | 'Tombstone') =>
  fc
    .tuple(streamName, expectation('revision'))
    .map(([stream, expected]) => [
      { call: `Streams.${method}`, request: { options: { ...identified(stream), ...expected } } },
      SETTLED,
    ]);

/** One batch on a call of its own, in one to three messages. */
const batch = fc
  .tuple(streamName, expectation('streamPosition'), events, fc.integer({ min: 1, max: 3 }), fc.nat())
  .map(([stream, expected, sent, chunkCount, call]): Step[] => {
    const correlationId = { string: `$ID${1_000 + (call % 100_000)}` };
    const size = Math.ceil(sent.length / chunkCount);
    const messages = Array.from({ length: chunkCount }, (_, index) => ({
      correlationId,
      ...(index === 0 ? { options: { ...identified(stream), ...expected } } : {}),
      proposedMessages: sent.slice(index * size, (index + 1) * size),
      ...(index === chunkCount - 1 ? { isFinal: true } : {}),
    }));
    return [{ call: 'Streams.BatchAppend', open: `B${call}`, request: messages }, SETTLED];
  });

const uuidOption = fc.constantFrom({ string: {} }, { string: {} }, { structured: {} }, {});
const controlOption = fc.constantFrom(
  {},
  { controlOption: { compatibility: 0 } },
  ...[1, 1, 1, 2].map((compatibility) => ({ controlOption: { compatibility } })),
);
const count = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: 1, max: 6 }) },
  { weight: 3, arbitrary: fc.constantFrom(31, 32, 33, 63, 64, 65, 100) },
  { weight: 1, arbitrary: fc.constantFrom(4_096, 2_147_483_647) },
);
const revisionStart = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Step>({ start: {} }) },
  { weight: 3, arbitrary: fc.constant<Step>({ end: {} }) },
  { weight: 6, arbitrary: fc.integer({ min: 0, max: 9 }).map((revision) => ({ revision: String(revision) })) },
  { weight: 2, arbitrary: fc.integer({ min: 10, max: 80 }).map((revision) => ({ revision: String(revision) })) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(MAX_UINT64, '9223372036854775807', '9223372036854775808', '2147483647', '4294967296')
      .map((revision) => ({ revision })),
  },
);

const direction = fc.constantFrom('FORWARDS', 'FORWARDS', 'BACKWARDS');

const readOfStream = fc
  .record({
    stream: streamName,
    start: revisionStart,
    direction,
    count,
    uuid: uuidOption,
    control: controlOption,
    resolveLinks: fc.boolean(),
  })
  .map((read): Step[] => [
    {
      call: 'Streams.Read',
      request: {
        options: {
          stream: { ...identified(read.stream), ...read.start },
          readDirection: read.direction,
          resolveLinks: read.resolveLinks,
          count: String(read.count),
          noFilter: {},
          uuidOption: read.uuid,
          ...read.control,
        },
      },
    },
  ]);

/** So many events come before everything else, so that there are positions to name and a floor to read down to. */
const ANCHORS = 40;

const position = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .nat({ max: 60 })
      .map((n): Step => ({ position: { commitPosition: { at: ANCHORS + n }, preparePosition: { at: ANCHORS + n } } })),
  },
  { weight: 1, arbitrary: fc.constant<Step>({ end: {} }) },
);

const expression = fc.oneof(
  fc.constantFrom<Step>(
    { eventType: { prefix: ['a-'] } },
    { eventType: { prefix: ['a-', '$'] } },
    { eventType: { prefix: ['A-'] } },
    { eventType: { prefix: [''] } },
    { eventType: { prefix: [] } },
    { eventType: { prefix: ['no'], regex: '^a' } },
    { eventType: { regex: '^[^$].*' } },
    { eventType: { regex: '-type$' } },
    { eventType: { regex: '(?i)A-T' } },
    { eventType: { regex: '\\p{Lu}' } },
    { eventType: { regex: '^\\w+-\\w+$' } },
    { eventType: { regex: '^(a|\\$m)' } },
    { eventType: { regex: '(?<x>a)-' } },
    { eventType: { regex: '[' } },
    { streamIdentifier: { prefix: ['$STREAM1'] } },
    { streamIdentifier: { prefix: ['$$$STREAM1', '$STREAM2'] } },
    { streamIdentifier: { prefix: ['$$'] } },
    { streamIdentifier: { regex: '^\\$\\$' } },
    { streamIdentifier: { regex: '^[^$]' } },
    { streamIdentifier: { regex: '$STREAM2\\z' } },
    {},
  ),
);
const filter = fc.oneof(
  { weight: 2, arbitrary: fc.constant<Step>({ noFilter: {} }) },
  {
    weight: 3,
    arbitrary: fc
      .tuple(
        expression,
        fc.constantFrom<Step>({ max: 1 }, { max: 2 }, { max: 5 }, { max: 32 }, { max: 100 }, { count: {} }),
        fc.constantFrom(1, 1, 2, 5),
      )
      .map(
        ([what, window, checkpointIntervalMultiplier]): Step => ({
          filter: { ...what, ...window, checkpointIntervalMultiplier },
        }),
      ),
  },
);

const readOfAll = fc
  .record({
    position,
    direction,
    count: fc.integer({ min: 1, max: ANCHORS }),
    uuid: uuidOption,
    control: controlOption,
    resolveLinks: fc.boolean(),
    filter,
  })
  .map((read): Step[] => [
    {
      call: 'Streams.Read',
      ownStreamsOnly: true,
      request: {
        options: {
          all: read.position,
          readDirection: read.direction,
          resolveLinks: read.resolveLinks,
          count: String(read.count),
          ...read.filter,
          uuidOption: read.uuid,
          ...read.control,
        },
      },
    },
  ]);

const subscriptionStart = fc.oneof(
  fc.constantFrom<Step>({ start: {} }, { end: {} }),
  fc.integer({ min: 0, max: 40 }).map((revision): Step => ({ revision: String(revision) })),
);
const subscribeToStream = fc
  .tuple(streamName, subscriptionStart, uuidOption, controlOption, fc.boolean(), fc.nat())
  .map(([stream, start, uuid, control, resolveLinks, name]): Step[] => [
    {
      call: 'Streams.Read',
      open: `S${name}`,
      request: {
        options: {
          stream: { ...identified(stream), ...start },
          subscription: {},
          resolveLinks,
          noFilter: {},
          uuidOption: uuid,
          ...control,
        },
      },
    },
  ]);
const subscribeToAll = fc
  .tuple(position, uuidOption, controlOption, fc.boolean(), filter, fc.nat())
  .map(([start, uuid, control, resolveLinks, what, name]): Step[] => [
    {
      call: 'Streams.Read',
      open: `A${name}`,
      ownStreamsOnly: true,
      request: { options: { all: start, subscription: {}, resolveLinks, ...what, uuidOption: uuid, ...control } },
    },
  ]);

const block = fc.oneof(
  { weight: 10, arbitrary: append },
  { weight: 4, arbitrary: batch },
  { weight: 4, arbitrary: setMetadata },
  { weight: 2, arbitrary: remove('Delete') },
  { weight: 1, arbitrary: remove('Tombstone') },
  { weight: 9, arbitrary: readOfStream },
  { weight: 4, arbitrary: readOfAll },
  { weight: 1, arbitrary: subscribeToStream },
  { weight: 1, arbitrary: subscribeToAll },
);

/** Only a soft delete has effects that come about later. */
function withoutIdlePauses(steps: readonly Step[]): Step[] {
  const deleteAt = steps.findIndex((step) => /Streams.Delete|9223372036854775807/.test(JSON.stringify(step)));
  return steps.filter((step, index) => step['pauseMs'] === undefined || (deleteAt !== -1 && index > deleteAt));
}

/** With subscriptions in it: a live one that is 32 events behind may be caught up a second time, as it happens. */
const LIVE_BURST = 25;

const isBurst = (step: Step): boolean => JSON.stringify(step).split('customMetadata').length - 1 > LIVE_BURST;

/** Every subscription is asked once more at the end for what came meanwhile. */
function withLooks(steps: readonly Step[]): Step[] {
  const open = steps.filter((step) => step['open'] !== undefined && step['call'] === 'Streams.Read');
  if (open.length === 0) return [...steps];
  const calm = steps.filter((step, index) => index < ANCHOR_STEPS.length || !isBurst(step));
  return [...calm, ...open.map((step) => ({ on: step['open'] }))];
}

const ANCHOR_STEPS: readonly Step[] = [
  appendTo(
    '$STREAM9',
    { any: {} },
    Array.from({ length: ANCHORS }, (_, index) => plain(`$ID${900 + index}`)),
  ),
  {
    call: 'Streams.Read',
    request: {
      options: {
        stream: { ...identified('$STREAM9'), start: {} },
        count: String(ANCHORS),
        noFilter: {},
        uuidOption: { string: {} },
      },
    },
  },
];

export const dialogue: fc.Arbitrary<Step[]> = fc
  .array(block, { minLength: 1, maxLength: 14, size: 'max' })
  .map((blocks) => withLooks([...ANCHOR_STEPS, ...withoutIdlePauses(blocks.flat())]));
