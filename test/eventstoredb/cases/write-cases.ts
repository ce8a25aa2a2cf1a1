import {
  append,
  appendEvents,
  type Case,
  event,
  first,
  last,
  notFound,
  readStream,
  recorded,
  refusedWith,
  remove,
  type Step,
  setMetadata,
  streamDeleted,
  wrongDelete,
} from '../dialogue.ts';

const S = '$STREAM1';
const EMPTY_SUCCESS = (revision: number) => ({ revision, at: '$VARIES1' });

const wrongVersion = (current: number, expected: Step, old: Step): { answers: readonly Step[] } => ({
  answers: [
    {
      wrongExpectedVersion: {
        ...old,
        ...expected,
        currentRevision2060: String(current),
        currentRevision: String(current),
      },
    },
  ],
});

/** Appends, deletes and metadata. */
export const WRITE_CASES: readonly Case[] = [
  {
    name: 'known ids with any or no_stream on a soft-deleted stream succeed without a position',
    about: 'README, surprising 6',
    steps: [
      append(S, 'noStream', ['$ID1', '$ID2'], { revision: 1, at: '$POS1' }),
      remove('Delete', S, 'any', '$POS2'),
      append(S, 'any', ['$ID1', '$ID2'], { revision: 1, at: 'none' }),
      append(S, 'noStream', ['$ID1', '$ID2'], { revision: 1, at: 'none' }),
      readStream(S, {}, [notFound(S)]),
    ],
  },
  {
    name: 'revisions go on after a soft delete, and stream_exists is refused meanwhile',
    about: 'README, surprising 9 and 10',
    steps: [
      append(S, 'noStream', ['$ID1', '$ID2'], { revision: 1, at: '$POS1' }),
      setMetadata(S, '{"$maxCount":9,"own":1.50}', '$POS2'),
      remove('Delete', S, 1, '$POS3'),
      refusedWith(append(S, 'streamExists', ['$ID3'], { revision: 2, at: '' }), streamDeleted(S)),
      append(S, 'noStream', ['$ID3'], { revision: 2, at: '$POS4' }),
      readStream(S, {}, [recorded(S, 2, '$ID3', '$POS4'), last(2)]),
      readStream(`$$${S}`, {}, [recorded(`$$${S}`, 2, '$VARIES2', '$POS5', '{"$tb":2}', '$metadata'), last(2)]),
    ],
  },
  {
    name: 'an append without events brings a soft-deleted stream back, empty',
    about: 'README, surprising 10 and 13',
    steps: [
      append(S, 'noStream', ['$ID1', '$ID2'], { revision: 1, at: '$POS1' }),
      remove('Delete', S, 'any', '$POS2'),
      append(S, 'any', [], EMPTY_SUCCESS(1)),
      readStream(S, {}, [first(2), last(1)]),
      append(S, 1, ['$ID3'], { revision: 2, at: '$POS3' }),
      readStream(S, {}, [recorded(S, 2, '$ID3', '$POS3'), last(2)]),
    ],
  },
  {
    name: 'metadata written for a soft-deleted stream brings it back and keeps its other keys',
    about: 'StorageWriterService: a write to the metadata stream of a soft-deleted stream sets $tb anew',
    steps: [
      append(S, 'noStream', ['$ID1', '$ID2'], { revision: 1, at: '$POS1' }),
      remove('Delete', S, 'any', '$POS2'),
      setMetadata(S, '{"own": [1.0, 12345678901234567890], "$maxCount": 5}', '$POS3', 1),
      readStream(`$$${S}`, {}, [
        recorded(
          `$$${S}`,
          2,
          '$VARIES2',
          '$POS4',
          '{"own":[1.0,12345678901234567890],"$maxCount":5,"$tb":2}',
          '$metadata',
        ),
        last(2),
      ]),
      readStream(S, {}, [first(2), last(1)]),
    ],
  },
  {
    name: 'known ids whose events retention hides succeed without a position',
    about: 'IndexWriter: the position of a repetition is that of the event as a reader finds it',
    steps: [
      append(S, 'noStream', ['$ID1', '$ID2', '$ID3'], { revision: 2, at: '$POS1' }),
      setMetadata(S, '{"$maxCount":1}', '$POS2'),
      append(S, 'noStream', ['$ID1', '$ID2'], { revision: 1, at: 'none' }),
      append(S, 'noStream', ['$ID1', '$ID2', '$ID3'], { revision: 2, at: '$POS1' }),
    ],
  },
  {
    name: 'with any only the first id decides',
    about: 'README, surprising 8',
    steps: [
      append(S, 'any', ['$ID1'], { revision: 0, at: '$POS1' }),
      append(S, 'any', ['$ID2', '$ID1'], { revision: 2, at: '$POS2' }),
      append(S, 'any', ['$ID1', '$ID9'], wrongVersion(2, { expectedAny: {} }, { any2060: {} })),
      append(
        S,
        'streamExists',
        ['$ID1', '$ID9'],
        wrongVersion(2, { expectedStreamExists: {} }, { streamExists2060: {} }),
      ),
    ],
  },
  {
    name: 'metadata alone makes a stream exist for stream_exists and for Delete',
    about: 'IndexWriter.CheckCommit; StorageWriterService, soft delete',
    steps: [
      setMetadata(S, '{"own":1}', '$POS1'),
      append(S, 'streamExists', ['$ID1'], { revision: 0, at: '$POS2' }),
      setMetadata('$STREAM2', '{"own":1}', '$POS3', 0),
      remove('Delete', '$STREAM2', 'noStream', '$POS4'),
    ],
  },
  {
    name: 'Delete of a missing stream is refused whatever is expected',
    about: 'README, surprising 11 and 12',
    steps: [
      refusedWith(remove('Delete', S, 'any', ''), wrongDelete(S, '-2', '-1')),
      refusedWith(remove('Delete', S, 'noStream', ''), wrongDelete(S, '-1', '-1')),
      refusedWith(remove('Delete', S, 'streamExists', ''), wrongDelete(S, '-4', '-1')),
      refusedWith(remove('Delete', S, 3, ''), wrongDelete(S, '3', '-1')),
      remove('Tombstone', S, 'noStream', '$POS1'),
      refusedWith(remove('Tombstone', S, 'any', ''), streamDeleted(S)),
      refusedWith(remove('Delete', S, 'any', ''), streamDeleted(S)),
    ],
  },
  {
    name: 'after a tombstone the metadata stream reads as deleted, yet goes on if it was written before',
    about: 'README, surprising 16',
    steps: [
      append(S, 'noStream', ['$ID1'], { revision: 0, at: '$POS1' }),
      setMetadata(S, '{"own":1}', '$POS2'),
      remove('Tombstone', S, 0, '$POS3'),
      refusedWith(readStream(`$$${S}`, {}, []), streamDeleted(`$$${S}`)),
      appendEvents(`$$${S}`, 0, [event('$ID3', '{}', '$metadata')], { revision: 1, at: '$POS4' }),
      refusedWith(readStream(S, {}, []), streamDeleted(S)),
    ],
  },
  {
    name: 'metadata with a key of the wrong kind counts as none at all',
    about: 'StreamMetadata.FromJsonReader throws as a whole; values out of range are left out alone',
    steps: [
      append(S, 'noStream', ['$ID1', '$ID2'], { revision: 1, at: '$POS2' }),
      setMetadata(S, '{"$tb":1,"$maxCount":1.0}', '$POS3', 0),
      readStream(S, { count: 1 }, [recorded(S, 0, '$ID1', '$VARIES5'), last(1)]),
      setMetadata(S, '{"$tb":1,"$maxCount":0,"$maxAge":-5}', '$POS4', 1),
      readStream(S, {}, [recorded(S, 1, '$ID2', '$POS2'), last(1)]),
      setMetadata(S, '{"$tb":1,"$acl":{"$r":[1]}}', '$POS5', 2),
      readStream(S, { count: 1 }, [recorded(S, 0, '$ID1', '$VARIES5'), last(1)]),
    ],
  },
];
