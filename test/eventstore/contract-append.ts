import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asFolded, NO_STREAM } from '../../src/model/event-store.ts';
import type { NewEvent, RecordedEvent } from '../../src/model/events.ts';
import type { Bench } from './contract.ts';
import { event, events, freshStream, mustAppend, readBack, recorded } from './fixture.ts';

const AWKWARD = {
  text: 'a "quoted" \\ line\nbreak\t\u0000 \u2028 é 漢 👩‍🚀 \ud800',
  numbers: [0, -1, 1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0.1 + 0.2],
  empty: { object: {}, array: [], string: '', nothing: null, no: false },
  'key with . and "': { '': 1, b: 2, a: 3, 10: 'ten', 9: 'nine' },
  nested: [[[{ a: [{ b: [] }] }]]],
};

const cycle: Record<string, unknown> = {};
cycle['self'] = cycle;

/** What has no exact JSON form, with the path that the answer must name. */
const NOT_PLAIN: readonly (readonly [string, unknown, string])[] = [
  ['a BigInt', { a: [{ b: 10n }] }, 'data.a[0].b'],
  ['a cycle', cycle, 'data.self'],
  ['NaN', { n: Number.NaN }, 'data.n'],
  ['infinity', { n: Number.POSITIVE_INFINITY }, 'data.n'],
  ['undefined', { a: undefined }, 'data.a'],
  ['a hole in an array', [1, undefined], 'data[1]'],
  ['a function', { f: () => 1 }, 'data.f'],
  ['a Date', { d: new Date(0) }, 'data.d'],
  ['toJSON', { at: { toJSON: () => 'another' } }, 'data.at'],
  ['toJSON of an array', { a: Object.assign([1], { toJSON: () => 'another' }) }, 'data.a'],
  ['a Map', { m: new Map() }, 'data.m'],
  ['a symbol', { s: Symbol('s') }, 'data.s'],
  ['nothing at all', undefined, 'data'],
];

/** What a caller may hand in as a list of events that he has made himself, and what a list made of the engine's own is. */
const UNVOUCHED: readonly (readonly [string, (batch: readonly RecordedEvent[]) => readonly NewEvent[]])[] = [
  ['with their stream and revision', (batch) => batch],
  ['of a list made of a folded one', (batch) => [...asFolded(batch)]],
  ['mapped from a folded list', (batch) => asFolded(batch).map((each) => each)],
  ['cut from a folded list', (batch) => asFolded(batch).slice()],
];

const WRONG_FIELDS: readonly (readonly [keyof NewEvent, unknown])[] = [
  ['id', 'no-uuid'],
  ['type', ''],
  ['type', 'with space'],
  ['schemaVersion', 0],
  ['schemaVersion', 1.5],
  ['at', -1],
  ['at', Number.NaN],
];

export function appendContract(bench: Bench): void {
  describe('append', () => {
    it('puts a batch directly after the expected revision and answers the last one', async () => {
      const stream = freshStream();
      expect(await bench.store.append(stream, events(3), NO_STREAM)).toEqual({ outcome: 'appended', revision: 2 });
      expect(await bench.store.append(stream, events(1, 3), 2)).toEqual({ outcome: 'appended', revision: 3 });
      const read = await readBack(bench.store, stream);
      expect(read.map((e) => [e.revision, (e.data as { n: number }).n])).toEqual([0, 1, 2, 3].map((n) => [n, n]));
    });

    it('gives events back exactly as they went in, with their place', async () => {
      const stream = freshStream();
      const batch = [event(AWKWARD), event([]), event('text'), event(null), event(17)];
      await mustAppend(bench.store, stream, batch, NO_STREAM);
      const read = await readBack(bench.store, stream);
      expect(read).toEqual(recorded(batch, stream));
      expect(JSON.stringify(read[0]?.data)).toBe(JSON.stringify(AWKWARD));
    });

    it('gives metadata back exactly as it went in, the key of a command too', async () => {
      const stream = freshStream();
      const bound = event({ n: 1 });
      const key = { key: 'k', body: 'digest', owner: 'ann', verb: 'Allocate' };
      const batch = [{ ...bound, metadata: { ...bound.metadata, key } }, event({ n: 2 })];
      await mustAppend(bench.store, stream, batch, NO_STREAM);
      const read = await readBack(bench.store, stream);
      expect(read.map(({ metadata }) => metadata)).toEqual(batch.map(({ metadata }) => metadata));
    });

    it('gives any JSON back exactly', async () => {
      const json = fc
        .jsonValue({ depthSize: 'medium' })
        .filter((value) => JSON.stringify(value).indexOf('__proto__') < 0);
      await fc.assert(
        fc.asyncProperty(fc.array(json, { minLength: 1, maxLength: 20 }), async (values) => {
          const plain = values.map((value) => JSON.parse(JSON.stringify(value)) as unknown);
          const stream = freshStream();
          const batch = plain.map((data) => event(data));
          await mustAppend(bench.store, stream, batch, NO_STREAM);
          expect(await readBack(bench.store, stream)).toEqual(recorded(batch, stream));
        }),
        { numRuns: bench.sizes.propertyRuns },
      );
    });

    it.each([
      ['too low', 0],
      ['too high', 5],
      ['no stream, but there is one', NO_STREAM],
    ])('answers a conflict with the current revision and writes nothing: %s', async (_, expected) => {
      const stream = freshStream();
      await mustAppend(bench.store, stream, events(3), NO_STREAM);
      expect(await bench.store.append(stream, events(2), expected)).toEqual({ outcome: 'conflict', revision: 2 });
      expect(await readBack(bench.store, stream)).toHaveLength(3);
    });

    it('answers a conflict with -1 for a stream that does not exist', async () => {
      expect(await bench.store.append(freshStream(), events(1), 0)).toEqual({
        outcome: 'conflict',
        revision: NO_STREAM,
      });
    });

    it('answers the identical batch at its own revision as the first time, and writes it once', async () => {
      const stream = freshStream();
      const [first, second] = [events(3), events(2)];
      await mustAppend(bench.store, stream, first, NO_STREAM);
      await mustAppend(bench.store, stream, second, 2);
      expect(await bench.store.append(stream, first, NO_STREAM)).toEqual({ outcome: 'appended', revision: 2 });
      expect(await bench.store.append(stream, second, 2)).toEqual({ outcome: 'appended', revision: 4 });
      expect(await readBack(bench.store, stream)).toEqual(recorded([...first, ...second], stream));
    });

    it('takes a batch that only begins like the one that is there for a conflict', async () => {
      const stream = freshStream();
      const batch = events(2);
      await mustAppend(bench.store, stream, batch, NO_STREAM);
      const other = [batch[0]!, event({ other: true })];
      expect(await bench.store.append(stream, other, NO_STREAM)).toEqual({ outcome: 'conflict', revision: 1 });
      expect(await readBack(bench.store, stream)).toEqual(recorded(batch, stream));
    });

    it.each([
      ['its own', (batch: readonly RecordedEvent[]) => batch],
      ['the engine', asFolded],
    ])('ignores a stream and revision that an event bears already, %s', async (_, from) => {
      const stream = freshStream();
      await mustAppend(bench.store, stream, from(recorded(events(2), 'pool-elsewhere', 7)), NO_STREAM);
      await mustAppend(bench.store, stream, from(recorded([event(1)], stream, 2)), 1);
      await mustAppend(bench.store, stream, from(recorded([event(2)], stream, 9)), 2);
      const read = await readBack(bench.store, stream);
      expect(read.map((e) => [e.stream, e.revision])).toEqual([0, 1, 2, 3].map((n) => [stream, n]));
    });

    it('takes what the engine has folded, gives it back exactly and answers it again as the first time', async () => {
      const stream = freshStream();
      const first = asFolded(recorded([event(AWKWARD), event({ n: 1 })], stream));
      const second = asFolded(recorded(events(3), stream, 2));
      await mustAppend(bench.store, stream, first, NO_STREAM);
      await mustAppend(bench.store, stream, second, 1);
      expect(await bench.store.append(stream, second, 1)).toEqual({ outcome: 'appended', revision: 4 });
      expect(await bench.store.append(stream, asFolded(recorded(events(1), stream, 1)), 0)).toEqual({
        outcome: 'conflict',
        revision: 4,
      });
      const read = await readBack(bench.store, stream);
      expect(JSON.stringify(read.map(({ data }) => data))).toBe(
        JSON.stringify([...first, ...second].map(({ data }) => data)),
      );
      expect(read.map(({ id, revision }) => [id, revision])).toEqual(
        [...first, ...second].map(({ id, revision }) => [id, revision]),
      );
    });

    it.each(UNVOUCHED)('keeps no object of the caller, %s', async (_, made) => {
      const stream = freshStream();
      const batch = [0, 1].map((n) => recorded([event({ a: [{ n }] }), event({ a: [{ n }] })], stream, 2 * n));
      const before = structuredClone(batch.flat());
      for (const [n, part] of batch.entries()) await mustAppend(bench.store, stream, made(part), 2 * n - 1);
      for (const each of batch.flat()) {
        (each.data as { a: { n: number }[] }).a[0]!.n = 99;
        Object.assign(each.metadata, { actor: 'another' });
        Object.assign(each, { type: 'LeaseReclaimed', revision: 99 });
      }
      expect(await readBack(bench.store, stream)).toEqual(before);
    });

    it('carries a large batch whole', async () => {
      const stream = freshStream();
      const batch = events(Math.min(bench.sizes.largeBatch, bench.store.traits.maxAppendEvents));
      await mustAppend(bench.store, stream, batch, NO_STREAM);
      expect(await readBack(bench.store, stream)).toEqual(recorded(batch, stream));
    });

    it('keeps appends to two streams apart, also while both are in flight', async () => {
      const [a, b] = [freshStream(), freshStream()];
      for (let n = 0; n < 20; n++) {
        const pair = [bench.store.append(a, [event({ n })], n - 1), bench.store.append(b, [event({ n: -n })], n - 1)];
        for (const result of await Promise.all(pair)) expect(result).toEqual({ outcome: 'appended', revision: n });
      }
      expect((await readBack(bench.store, b)).map((e) => (e.data as { n: number }).n + e.revision)).toEqual(
        Array(20).fill(0),
      );
    });
  });

  describe('append refuses, definitely and before anything is written,', () => {
    const refuses = async (stream: string, batch: readonly NewEvent[], expected: number, path: string) => {
      const result = await bench.store.append(stream, batch, expected);
      expect(result).toMatchObject({ outcome: 'failed', retryable: false });
      expect((result as unknown as { cause: Error }).cause.message).toContain(path);
    };

    it.each(NOT_PLAIN)('data that is no plain JSON: %s', async (_, data, path) => {
      const stream = freshStream();
      await refuses(stream, [event({ ok: true }), event(data)], NO_STREAM, `events[1].${path}`);
      expect(await readBack(bench.store, stream)).toEqual([]);
      await mustAppend(bench.store, stream, events(1), NO_STREAM);
    });

    it.each(UNVOUCHED)('what is no plain JSON in events %s', async (_, made) => {
      const stream = freshStream();
      await mustAppend(bench.store, stream, events(1), NO_STREAM);
      for (const [what, data, path] of NOT_PLAIN) {
        const batch = recorded([event({ what }), event(data)], stream, 1);
        await refuses(stream, made(batch), 0, `events[1].${path}`);
      }
      expect(await readBack(bench.store, stream)).toHaveLength(1);
    });

    it.each(WRONG_FIELDS)('a wrong %s: %s', async (field, value) => {
      const stream = freshStream();
      await refuses(stream, [{ ...event({}), [field]: value } as NewEvent], NO_STREAM, `events[0].${field}`);
      expect(await readBack(bench.store, stream)).toEqual([]);
    });

    it.each([-2, 1.5, Number.NaN, 2 ** 53])('an expected revision of %s', async (expected) => {
      await refuses(freshStream(), events(1), expected, 'expectedRevision');
    });

    it.each(['', '$all', 'with space', 'x'.repeat(201)])('a stream named %j', async (stream) => {
      await refuses(stream, events(1), NO_STREAM, 'stream');
    });

    it('an empty batch', async () => {
      await refuses(freshStream(), [], NO_STREAM, 'events');
    });

    it('a batch over its limits', async () => {
      const { maxAppendEvents, maxAppendBytes } = bench.store.traits;
      await refuses(freshStream(), Array(maxAppendEvents + 1).fill(event({})), NO_STREAM, 'events');
      if (maxAppendBytes > 64 << 20) return;
      const stream = freshStream();
      await refuses(stream, [event('x'.repeat(maxAppendBytes))], NO_STREAM, 'bytes');
      expect(await readBack(bench.store, stream)).toEqual([]);
    });
  });
}
