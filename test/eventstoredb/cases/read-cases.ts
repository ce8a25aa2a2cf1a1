import {
  append,
  appendEvents,
  CAUGHT_UP,
  type Case,
  confirmed,
  event,
  first,
  last,
  ofStream,
  readAll,
  readStream,
  recorded,
  refusedWith,
  remove,
  type Step,
  setMetadata,
  streamDeleted,
  subscribe,
} from '../dialogue.ts';

const S = '$STREAM1';
const T = '$STREAM2';
const position = (commit: string, prepare = commit): Step => ({
  position: { commitPosition: commit, preparePosition: prepare },
});
const INVALID_POSITION = { code: 3, details: 'Trying to read from an invalid position.', metadata: {} };
const unexpected = (result: string): Step => ({ code: 2, details: `Unexpected ${result}`, metadata: {} });
const HANDLER_FAILED = { code: 2, details: 'Exception was thrown by handler.', metadata: {} };
const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `$ID${index + 1}`);

/** Reads of streams and of $all, links and subscriptions. */
export const READ_CASES: readonly Case[] = [
  {
    name: 'first_stream_position comes if the first page of 32 events is hidden',
    about: 'README, surprising 13; a page is never larger than 32 events',
    steps: [
      append(S, 'noStream', ids(40), { revision: 39, at: '$POS2' }),
      setMetadata(S, '{"$tb":39}', '$POS3'),
      readStream(S, {}, [first(39), recorded(S, 39, '$ID40', '$POS2'), last(39)]),
      readStream(S, { from: { revision: '8' } }, [recorded(S, 39, '$ID40', '$POS2'), last(39)]),
      readStream(S, { from: { revision: '40' } }, [last(39)]),
      readStream(S, { from: { revision: '41' } }, [first(40), last(39)]),
      readStream(S, { direction: 'BACKWARDS', from: { revision: '99' } }, [
        recorded(S, 39, '$ID40', '$POS2'),
        last(39),
      ]),
    ],
  },
  {
    name: 'a link is resolved, and stands alone when its event cannot be read',
    about: 'StorageReaderWorker.ResolveLinkToEvent',
    steps: [
      append(S, 'noStream', ['$ID1'], { revision: 0, at: '$POS1' }),
      appendEvents(T, 'noStream', [event('$ID2', `0@${S}`, '$>')], { revision: 0, at: '$POS2' }),
      appendEvents(T, 0, [event('$ID3', `7@${S}`, '$>')], { revision: 1, at: '$POS3' }),
      readStream(T, { resolveLinks: true }, [
        linked(recorded(S, 0, '$ID1', '$POS1'), recorded(T, 0, '$ID2', '$POS2', `0@${S}`, '$>')),
        linked(undefined, recorded(T, 1, '$ID3', '$POS3', `7@${S}`, '$>')),
        last(1),
      ]),
    ],
  },
  {
    name: 'a position where no record begins is refused, each kind of call in its own words',
    about: 'README, order ("$all from a wrong position")',
    steps: [
      append(S, 'noStream', ['$ID1'], { revision: 0, at: '$POS1' }),
      append(S, 0, ['$ID2'], { revision: 1, at: '$POS2' }),
      refusedWith(readAll({ from: position('7') }, []), unexpected('ReadAllResult: InvalidPosition')),
      refusedWith(
        readAll({ from: position('7'), direction: 'BACKWARDS' }, []),
        unexpected('ReadAllResult: InvalidPosition'),
      ),
      refusedWith(
        readAll({ from: position('18446744073709551615', '7') }, []),
        unexpected('ReadAllResult: InvalidPosition'),
      ),
      refusedWith(readAll({ from: position('7', '8') }, []), HANDLER_FAILED),
      readAll({ from: position('9007199254740000') }, []),
      refusedWith(
        readAll({ from: position('9007199254740000'), direction: 'BACKWARDS' }, []),
        unexpected('ReadAllResult: Error'),
      ),
      {
        ...subscribe('S', { all: position('7') }, [confirmed('$SUB1')]),
        end: INVALID_POSITION,
      },
    ],
  },
  {
    name: 'a read of $all with count 0 is never answered',
    about: 'README, surprising 14',
    steps: [
      {
        call: 'Streams.Read',
        open: 'A',
        request: { options: { all: { start: {} }, count: '0', noFilter: {}, uuidOption: { string: {} } } },
        answers: [],
        quietMs: 300,
      },
    ],
  },
  {
    name: 'a filtered subscription needs a checkpoint interval, and a window to catch up',
    about: 'Enumerator.AllSubscriptionFiltered: a multiplier of 0 is refused at once, a window of 0 divides by zero',
    steps: [
      append(S, 'noStream', ['$ID1'], { revision: 0, at: '$POS1' }),
      { ...subscribe('S', filtered({ max: 10 }), []), end: HANDLER_FAILED },
      {
        ...subscribe('T', filtered({ max: 0, checkpointIntervalMultiplier: 1 }), [confirmed('$SUB1')]),
        end: HANDLER_FAILED,
      },
    ],
  },
  {
    name: 'a subscription from a revision that is not there yet skips events up to it',
    about: 'README, surprising 17',
    steps: [
      append(S, 'noStream', ['$ID1'], { revision: 0, at: '$POS1' }),
      subscribe('S', ofStream(S, { revision: '2' }), [confirmed('$SUB1'), CAUGHT_UP]),
      append(S, 0, ['$ID2', '$ID3', '$ID4'], { revision: 3, at: '$POS2' }),
      { on: 'S', answers: [recorded(S, 3, '$ID4', '$POS2')], quietMs: 100 },
    ],
  },
  {
    name: 'a live subscription gets the tombstone and ends',
    about: 'Enumerator.StreamSubscription: StreamDeleted after the event $streamDeleted',
    steps: [
      append(S, 'noStream', ['$ID1'], { revision: 0, at: '$POS1' }),
      subscribe('S', ofStream(S, { end: {} }), [confirmed('$SUB1'), CAUGHT_UP]),
      remove('Tombstone', S, 'any', '$POS2'),
      { on: 'S', answers: [tombstoneOf(S, '$POS2')], end: streamDeleted(S) },
    ],
  },
  {
    name: 'a live subscription gets events that retention hides at once, a catching-up one does not',
    about: 'README, order ("live events come all")',
    steps: [
      setMetadata(S, '{"$maxCount":1}', '$POS1'),
      subscribe('S', ofStream(S, { start: {} }), [confirmed('$SUB1'), CAUGHT_UP]),
      append(S, 'noStream', ['$ID1', '$ID2'], { revision: 1, at: '$POS3' }),
      { on: 'S', answers: [recorded(S, 0, '$ID1', '$POS2'), recorded(S, 1, '$ID2', '$POS3')] },
      subscribe('T', ofStream(S, { start: {} }), [confirmed('$SUB2'), recorded(S, 1, '$ID2', '$POS3'), CAUGHT_UP]),
    ],
  },
];

/** $all from its start, as `subscribe` takes it, with a filter that lets nothing through. */
function filtered(filter: Step): Step {
  const never = { eventType: { prefix: ['no such type'] } };
  return { all: { start: {} }, filter: { ...never, ...filter } };
}

/** Two answers of a read as one: the event a link points to, beside the link. */
function linked(target: Step | undefined, link: Step): Step {
  const eventOf = (answer: Step) => answer['event'] as Step;
  const event = target === undefined ? {} : { event: eventOf(target)['event'] };
  return { event: { ...event, link: eventOf(link)['event'], commitPosition: eventOf(link)['commitPosition'] } };
}

function tombstoneOf(stream: string, at: string): Step {
  const answer = recorded(stream, 0, '$VARIES1', at, '', '$streamDeleted')['event'] as Step;
  const record = answer['event'] as Step;
  const metadata = { ...(record['metadata'] as Step), 'content-type': 'application/octet-stream' };
  return { event: { ...answer, event: { ...record, streamRevision: '9223372036854775807', metadata } } };
}
