import {
  append,
  batch,
  batchFailed,
  batchSucceeded,
  type Case,
  event,
  last,
  notFound,
  readStream,
  recorded,
  remove,
  type Step,
} from '../dialogue.ts';

const S = '$STREAM1';
const BAD_EVENT: Step = { id: { string: '$ID90' }, metadata: { type: 'x' }, data: '{}', customMetadata: '' };
const BAD_REQUEST = {
  code: 'INVALID_ARGUMENT',
  name: 'BadRequest',
  details: { message: 'The given key was not present in the dictionary.' },
};
const TIMEOUT = { code: 'DEADLINE_EXCEEDED', name: 'Timeout' };
const open = (requests: readonly Step[], answers: readonly Step[]): Step => ({
  call: 'Streams.BatchAppend',
  open: 'A',
  request: requests,
  answers,
});

/** BatchAppend. */
export const BATCH_CASES: readonly Case[] = [
  {
    name: 'a half-close with nothing in flight does not end the call',
    about: 'README, surprising 1',
    steps: [
      open([batch('$ID10', [event('$ID1')], { stream: S })], [batchSucceeded('$ID10', S, 0, '$POS1')]),
      { on: 'A', halfClose: true, answers: [], quietMs: 300 },
    ],
  },
  {
    name: 'a batch refused for a bad event can still be completed, with the events before the bad one',
    about: 'README, surprising 3',
    steps: [
      open(
        [batch('$ID10', [event('$ID1'), BAD_EVENT, event('$ID2')], { stream: S })],
        [batchFailed('$ID10', S, BAD_REQUEST)],
      ),
      {
        on: 'A',
        send: batch('$ID10', [event('$ID3')], {}),
        answers: [batchSucceeded('$ID10', S, 1, '$POS2')],
        quietMs: 2_300,
      },
      readStream(S, {}, [recorded(S, 0, '$ID1', '$POS1'), recorded(S, 1, '$ID3', '$POS2'), last(1)]),
    ],
  },
  {
    name: 'a batch refused for a bad event is timed out as well, with a structured correlation id',
    about: 'README, surprising 3',
    steps: [
      open(
        [batch('$ID10', [BAD_EVENT], { stream: S })],
        [batchFailed('$ID10', S, BAD_REQUEST), batchFailed('$ID10', S, TIMEOUT, 'structured')],
      ),
    ],
  },
  {
    name: 'a bad event in a later chunk ends the call',
    about: 'Streams.BatchAppend: the refusal takes its stream from the options of the same message',
    steps: [
      open([batch('$ID10', [event('$ID1')], { stream: S, isFinal: false })], []),
      {
        on: 'A',
        send: batch('$ID10', [BAD_EVENT], {}),
        answers: [],
        end: { code: 2, details: 'Exception was thrown by handler.', metadata: {} },
      },
      readStream(S, {}, [notFound(S)]),
    ],
  },
  {
    name: 'a deadline that is over is answered Timeout at once; a later one ends a batch that is not final',
    about: 'README, surprising 4 and 21',
    steps: [
      open(
        [batch('$ID10', [event('$ID1')], { stream: S, deadline: { seconds: 1, nanos: 0 } })],
        [batchFailed('$ID10', S, TIMEOUT)],
      ),
      {
        on: 'A',
        send: batch('$ID20', [event('$ID2')], { stream: S, isFinal: false, deadline: { seconds: '$SOON1', nanos: 0 } }),
        answers: [batchFailed('$ID20', S, TIMEOUT, 'structured')],
      },
    ],
  },
  {
    name: 'a batch to a tombstoned stream, or with stream_exists to a soft-deleted one, is StreamDeleted',
    about: 'README, surprising 22',
    steps: [
      append(S, 'noStream', ['$ID1'], { revision: 0, at: '$POS1' }),
      remove('Delete', S, 'any', '$POS2'),
      open(
        [batch('$ID10', [event('$ID2')], { stream: S, expectation: 'streamExists' })],
        [batchFailed('$ID10', S, { code: 'NOT_FOUND', name: 'StreamDeleted', details: identified(S) })],
      ),
      remove('Tombstone', S, 'any', '$POS3'),
      {
        on: 'A',
        send: batch('$ID20', [event('$ID2')], { stream: S }),
        answers: [batchFailed('$ID20', S, { code: 'NOT_FOUND', name: 'StreamDeleted', details: identified(S) })],
      },
    ],
  },
  {
    name: 'the size of a batch is counted over its chunks; later ones are ignored',
    about: 'README, surprising 22',
    steps: [
      open(
        [
          batch('$ID10', [event('$ID1', { repeat: 'x', times: 1_000_000 })], { stream: S, isFinal: false }),
          batch('$ID10', [event('$ID2', { repeat: 'x', times: 48_577 })], { isFinal: false }),
          batch('$ID10', [event('$ID3')], {}),
          batch('$ID20', [event('$ID4', { repeat: 'x', times: 1_048_576 })], { stream: S }),
        ],
        [
          batchFailed('$ID10', S, {
            code: 'INVALID_ARGUMENT',
            name: 'MaximumAppendSizeExceeded',
            details: { maxAppendSize: 1_048_576 },
          }),
          batchSucceeded('$ID20', S, 0, '$POS1'),
        ],
      ),
    ],
  },
];

function identified(stream: string): Step {
  return { streamIdentifier: { streamName: stream } };
}
