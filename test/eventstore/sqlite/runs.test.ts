import { test as propertyTest } from '@fast-check/vitest';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DamagedLogError } from '../../../src/eventstore/errors.ts';
import { type Run, Runs } from '../../../src/eventstore/sqlite/runs.ts';

const STREAMS = ['a', 'b', 'c'];
/** Appends: to which stream, how many events. */
const appends = fc.array(fc.tuple(fc.constantFrom(...STREAMS), fc.integer({ min: 1, max: 4 })), { maxLength: 40 });

/** The runs of these appends as a log writes them, and the stream of each position. */
function written(list: readonly (readonly [string, number])[]): { runs: Runs; rows: Run[]; streams: string[] } {
  const runs = new Runs('log');
  const rows: Run[] = [];
  const streams: string[] = [];
  for (const [stream, count] of list) {
    const run = runs.next(stream);
    if (run !== undefined) rows.push(run);
    for (let i = 0; i < count; i++) streams.push(stream);
    runs.grow(run === undefined ? [] : [run], streams.length);
  }
  return { runs, rows, streams };
}

const positionsOf = (runs: Runs, stream: string, first: number, last: number): number[] =>
  [...runs.spans(stream, first, last)].flatMap(([from, to]) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i),
  );

describe('runs', () => {
  propertyTest.prop([appends, fc.nat(100), fc.nat(100)])('find every revision where it lies', (list, some, more) => {
    const { runs, streams } = written(list);
    for (const stream of STREAMS) {
      const all = streams.flatMap((name, i) => (name === stream ? [i + 1] : []));
      expect(runs.lastRevision(stream)).toBe(all.length - 1);
      const first = some % Math.max(1, all.length);
      const last = Math.min(all.length - 1, first + (more % 10));
      expect(positionsOf(runs, stream, first, last)).toEqual(all.slice(first, last + 1));
    }
  });

  propertyTest.prop([appends])('are the same read back at once as written one by one', (list) => {
    const { rows, streams } = written(list);
    const read = new Runs('log');
    read.grow(rows, streams.length);
    for (const stream of STREAMS) {
      const last = read.lastRevision(stream);
      expect(positionsOf(read, stream, 0, last)).toEqual(
        streams.flatMap((name, i) => (name === stream ? [i + 1] : [])),
      );
    }
  });

  propertyTest.prop([appends, fc.nat(), fc.constantFrom(0, 1, 2), fc.nat(3)])(
    'that were changed are refused, or end a stream elsewhere than it ends',
    (list, which, field, by) => {
      const { runs, rows, streams } = written(list);
      fc.pre(rows.length > 0);
      const at = which % rows.length;
      const [position, stream, revision] = rows[at]!;
      const changed: Run[] = [
        [position + 1 + by, stream, revision],
        [position, STREAMS[(STREAMS.indexOf(stream) + 1 + (by % 2)) % 3]!, revision],
        [position, stream, revision + 1 + by],
      ];
      const read = new Runs('log');
      try {
        read.grow(rows.with(at, changed[field]!), streams.length);
      } catch (error) {
        expect(error).toBeInstanceOf(DamagedLogError);
        return;
      }
      // The store verifies the last event of each stream: it must not be the one that lies there.
      const wrong = STREAMS.filter((name) => read.lastRevision(name) !== runs.lastRevision(name));
      expect(wrong).not.toEqual([]);
    },
  );

  test('a log that has become shorter than it was is damaged', () => {
    const { runs } = written([['a', 3]]);
    expect(() => runs.grow([], 2)).toThrow(DamagedLogError);
  });
});
