import { fc, test } from '@fast-check/vitest';
import { expect } from 'vitest';
import { decodeDrafts } from '../support/eventstoredb/log/codec.ts';
import { LogStore } from '../support/eventstoredb/log/log-store.ts';
import { at, UNSET } from '../support/eventstoredb/log/positions.ts';
import type { LogRecord } from '../support/eventstoredb/log/record.ts';
import type { ReadAnswer } from '../support/eventstoredb/read/answers.ts';
import { everyEvent, filterOf } from '../support/eventstoredb/read/filter.ts';
import { type AllRead, readAll } from '../support/eventstoredb/read/read-all.ts';
import { readStream } from '../support/eventstoredb/read/read-stream.ts';
import { subscribeToAll } from '../support/eventstoredb/read/subscribe-all.ts';
import { subscribeToStream } from '../support/eventstoredb/read/subscribe-stream.ts';
import { Expected } from '../support/eventstoredb/write/append-rules.ts';
import { KnownIds } from '../support/eventstoredb/write/known-ids.ts';
import { type Outcome, Writer } from '../support/eventstoredb/write/writer.ts';

const STREAMS = ['a', 'b', '$c'] as const;
const uuid = (n: number): string => `00000000-0000-0000-0000-${String(n).padStart(12, '0')}`;

/** A server without its network: every append is durable, and answered, at once. */
class World {
  readonly store = new LogStore();
  readonly entries: Buffer[] = [];
  readonly #writer = new Writer(this.store, {
    append: (entry, onDurable) => {
      this.entries.push(Buffer.from(entry));
      onDurable();
    },
    afterAppended: (onDurable) => onDurable(),
  });

  append(stream: string, expected: number, ids: readonly string[], data = '{}', type = 'thing'): Outcome {
    const events = ids.map((id) => ({ id, type, isJson: true, data: Buffer.from(data), metadata: Buffer.alloc(0) }));
    return this.#outcome((reply) => this.#writer.append(stream, expected, events, reply));
  }

  delete(stream: string): Outcome {
    return this.#outcome((reply) => this.#writer.delete(stream, Expected.any, reply));
  }

  tombstone(stream: string): Outcome {
    return this.#outcome((reply) => this.#writer.tombstone(stream, Expected.any, reply));
  }

  #outcome(work: (reply: (outcome: Outcome) => void) => void): Outcome {
    let outcome: Outcome | undefined;
    work((told) => {
      outcome = told;
    });
    if (outcome === undefined) throw new Error('not answered');
    return outcome;
  }
}

type Action =
  | { kind: 'append'; stream: string; expected: number; ids: string[]; type: string }
  | { kind: 'metadata'; stream: string; json: string }
  | { kind: 'delete' | 'tombstone'; stream: string };

const streamName = fc.constantFrom(...STREAMS);
const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      stream: streamName,
      expected: fc.oneof(fc.constantFrom<number>(...Object.values(Expected)), fc.integer({ min: 0, max: 12 })),
      ids: fc.array(fc.integer({ min: 1, max: 9_999 }).map(uuid), { maxLength: 45 }),
      type: fc.constantFrom('thing', '$own', 'other'),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('metadata' as const),
      stream: streamName,
      json: fc.constantFrom('{"$maxCount":3}', '{"$tb":7}', '{"$maxCount":40,"$tb":2}', '{}', 'no json'),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('delete' as const), stream: streamName }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('tombstone' as const), stream: streamName }) },
);
const history = fc.array(action, { minLength: 1, maxLength: 25, size: 'max' });

function play(actions: readonly Action[]): World {
  const world = new World();
  let metadataId = 100_000;
  for (const one of actions) {
    if (one.kind === 'append') world.append(one.stream, one.expected, one.ids, '{}', one.type);
    else if (one.kind === 'metadata') world.append(`$$${one.stream}`, Expected.any, [uuid(metadataId++)], one.json);
    else world[one.kind](one.stream);
  }
  return world;
}

const recordsIn = (answers: Iterable<ReadAnswer>): LogRecord[] =>
  [...answers].flatMap((answer) => (answer.kind === 'event' && answer.resolved.event ? [answer.resolved.event] : []));

/** What a read gives, its error included. */
function told(answers: Iterable<ReadAnswer>): unknown {
  try {
    return [...answers];
  } catch (error) {
    return (error as Error).message;
  }
}

const streamRead = (stream: string, from: number, direction: 'forwards' | 'backwards', count = 1_000) =>
  ({ stream, from, direction, count, resolveLinks: false, tellsPositions: true }) as const;
const allRead = (from: number, direction: 'forwards' | 'backwards', more: Partial<AllRead> = {}): AllRead => ({
  from: at(from),
  direction,
  count: 10_000,
  resolveLinks: false,
  ...more,
});

const isReadable = (store: LogStore, stream: string): boolean =>
  typeof told(readStream(store, streamRead(stream, 0, 'forwards'))) !== 'string';

test.prop([history])('every stream reads the same from its entries after a restart', (actions) => {
  const world = play(actions);
  const again = new LogStore();
  for (const entry of world.entries) for (const draft of decodeDrafts(entry)) again.stage(draft);
  again.commit(again.stagedSize);
  for (const name of STREAMS.flatMap((stream) => [stream, `$$${stream}`])) {
    const before = told(readStream(world.store, streamRead(name, 0, 'forwards')));
    expect(told(readStream(again, streamRead(name, 0, 'forwards')))).toEqual(before);
  }
  expect(told(readAll(again, allRead(0, 'forwards')))).toEqual(told(readAll(world.store, allRead(0, 'forwards'))));
});

test.prop([history, fc.integer({ min: 1, max: 70 })])(
  'backwards is forwards reversed, in pages of any size',
  (actions, count) => {
    const { store } = play(actions);
    for (const name of STREAMS.filter((stream) => isReadable(store, stream))) {
      const forwards = recordsIn(readStream(store, streamRead(name, 0, 'forwards')));
      const backwards = recordsIn(readStream(store, streamRead(name, -1, 'backwards')));
      expect(backwards).toEqual(forwards.toReversed());
      const first = recordsIn(readStream(store, streamRead(name, 0, 'forwards', count)));
      expect(first).toEqual(forwards.slice(0, count));
    }
  },
);

test.prop([history, fc.nat()])(
  '$all is inclusive forwards and exclusive backwards at the position of any event',
  (actions, pick) => {
    const { store } = play(actions);
    const all = recordsIn(readAll(store, allRead(0, 'forwards')));
    fc.pre(all.length > 0);
    const index = pick % all.length;
    const { position } = all[index]!;
    expect(recordsIn(readAll(store, allRead(position, 'forwards')))).toEqual(all.slice(index));
    expect(recordsIn(readAll(store, allRead(position, 'backwards')))).toEqual(all.slice(0, index).reverse());
    expect(recordsIn(readAll(store, { ...allRead(-1, 'backwards'), from: UNSET }))).toEqual(all.toReversed());
  },
);

const expressions = fc.constantFrom(
  { subject: 'eventType' as const, regex: '^[^\\$].*', prefixes: [] },
  { subject: 'stream' as const, regex: '', prefixes: ['a', '$$b'] },
  { subject: 'stream' as const, regex: 'b$', prefixes: [] },
);

test.prop([history, expressions, fc.integer({ min: 1, max: 40 })])(
  'a filter leaves out what does not match, whatever its window',
  (actions, expression, window) => {
    const { store } = play(actions);
    const passes = filterOf(expression);
    const all = recordsIn(readAll(store, allRead(0, 'forwards')));
    const filtered = recordsIn(readAll(store, allRead(0, 'forwards', { filter: { passes, window } })));
    expect(filtered).toEqual(all.filter(passes));
  },
);

test.prop([history])('an append that was written at an exact revision is recognised ever after', (actions) => {
  const world = play(actions);
  for (const stream of STREAMS.filter((name) => isReadable(world.store, name))) {
    const { last } = world.store.stream(stream);
    const ids = [uuid(200_001), uuid(200_002)];
    expect(world.append(stream, last, ids)).toMatchObject({ kind: 'success', last: last + 2 });
    world.append(stream, Expected.any, [uuid(200_003)]);
    const size = world.store.size;
    expect(world.append(stream, last, ids)).toMatchObject({ kind: 'success', last: last + 2 });
    expect(world.append(stream, last, [uuid(200_004)])).toMatchObject({ kind: 'wrong', current: last + 3 });
    expect(world.store.size).toBe(size);
  }
});

/** Answers until `count` events came after caught_up, while `work` writes. */
async function collect(answers: AsyncIterable<ReadAnswer>, count: number, work: () => void): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  let liveCount = Number.NaN;
  for await (const answer of answers) {
    if (answer.kind === 'caughtUp') {
      liveCount = 0;
      work();
    } else if (answer.kind === 'event') {
      records.push(answer.resolved.event!);
      liveCount++;
    }
    if (liveCount >= count) break;
  }
  return records;
}

test.prop([history, fc.integer({ min: -1, max: 60 }), fc.integer({ min: 1, max: 9 })], { numRuns: 50 })(
  'a subscription gives what a read after its revision gives, then what is written, without a gap',
  async (actions, after, liveCount) => {
    const world = play(actions);
    const { signal } = new AbortController();
    const ids = Array.from({ length: liveCount }, (_, index) => uuid(300_000 + index));
    for (const stream of STREAMS.filter((name) => isReadable(world.store, name))) {
      const from = Math.min(after, world.store.stream(stream).last);
      const earlier = recordsIn(readStream(world.store, streamRead(stream, from + 1, 'forwards')));
      const subscription = { id: 's', stream, after: from, resolveLinks: false };
      const got = await collect(subscribeToStream(world.store, subscription, signal), liveCount, () =>
        world.append(stream, Expected.any, ids),
      );
      expect(got.slice(0, -liveCount)).toEqual(earlier);
      expect(got.slice(-liveCount).map(({ id }) => id)).toEqual(ids);
    }
  },
);

test.prop([history, fc.integer({ min: 1, max: 9 })], { numRuns: 50 })(
  'a subscription to $all gives every event once, those written meanwhile included',
  async (actions, liveCount) => {
    const world = play(actions);
    const ids = Array.from({ length: liveCount }, (_, index) => uuid(300_000 + index));
    const filter = { passes: everyEvent, window: 8, checkpointInterval: 8 };
    const subscription = { id: 's', after: UNSET, resolveLinks: false, filter };
    const { signal } = new AbortController();
    const got = await collect(subscribeToAll(world.store, subscription, signal), liveCount, () =>
      world.append('fresh', Expected.any, ids),
    );
    expect(got).toEqual(recordsIn(readAll(world.store, allRead(0, 'forwards'))));
  },
);

test('a filtered subscription tells a checkpoint after each interval of events, though none passes', async () => {
  const world = new World();
  const ids = Array.from({ length: 7 }, (_, index) => uuid(index + 1));
  const filter = { passes: () => false, window: 3, checkpointInterval: 3 };
  const subscription = { id: 's', after: undefined, resolveLinks: false, filter };
  const checkpoints: number[] = [];
  for await (const answer of subscribeToAll(world.store, subscription, new AbortController().signal)) {
    if (answer.kind === 'caughtUp') world.append('a', Expected.any, ids);
    if (answer.kind === 'checkpoint') checkpoints.push(answer.position.commit);
    if (checkpoints.length === 2) break;
  }
  const positions = recordsIn(readAll(world.store, allRead(0, 'forwards'))).map(({ position }) => position);
  expect(checkpoints).toEqual([positions[2], positions[5]]);
});

test('ids are remembered up to 8 MiB, the oldest forgotten first', () => {
  const known = new KnownIds();
  const count = 300_000;
  for (let n = 0; n < count; n++) known.remember(uuid(n), { stream: 'ab', revision: n });
  const bytesEach = 28 + 2 * 2;
  const kept = Math.floor((8 * 1024 * 1024) / bytesEach) + 1;
  expect(known.get(uuid(count - 1))?.revision).toBe(count - 1);
  expect(known.get(uuid(count - kept))?.revision).toBe(count - kept);
  expect(known.get(uuid(count - kept - 1))).toBeUndefined();
});
