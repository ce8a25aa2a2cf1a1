import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_STREAM, type ReadOptions } from '../../src/model/event-store.ts';
import type { Bench } from './contract.ts';
import { collect, event, events, freshStream, mustAppend, readBack, recorded } from './fixture.ts';

/** The revisions that a read of a stream of `length` events gives. */
function expectedRevisions(length: number, { from, direction, limit = length }: ReadOptions): number[] {
  const all = Array.from({ length }, (_, i) => i);
  if (direction !== 'backward') return all.filter((r) => r >= (from ?? 0)).slice(0, limit);
  return all
    .filter((r) => r <= (from ?? length))
    .reverse()
    .slice(0, limit);
}

export function readContract(bench: Bench): void {
  describe('read', () => {
    it('gives nothing for a stream that does not exist', async () => {
      expect(await readBack(bench.store, freshStream())).toEqual([]);
      expect(await readBack(bench.store, freshStream(), { direction: 'backward' })).toEqual([]);
      expect(await readBack(bench.store, freshStream(), { from: 10 })).toEqual([]);
    });

    it('gives the range asked for, in the direction asked for, over page borders', async () => {
      const length = 2500;
      const stream = freshStream();
      await mustAppend(bench.store, stream, events(length), NO_STREAM);
      const place = fc.option(fc.integer({ min: 0, max: length + 10 }), { nil: undefined });
      await fc.assert(
        fc.asyncProperty(place, place, fc.constantFrom('forward', 'backward'), async (from, limit, direction) => {
          const options = {
            direction,
            ...(from === undefined ? {} : { from }),
            ...(limit === undefined ? {} : { limit }),
          };
          const read = await readBack(bench.store, stream, options as ReadOptions);
          expect(read.map((e) => e.revision)).toEqual(expectedRevisions(length, options as ReadOptions));
          expect(read.every((e) => (e.data as { n: number }).n === e.revision)).toBe(true);
        }),
        { numRuns: bench.sizes.propertyRuns },
      );
    });

    it.each(['forward', 'backward'] as const)('gives the last event %s', async (direction) => {
      const stream = freshStream();
      await mustAppend(bench.store, stream, events(5), NO_STREAM);
      const read = await readBack(bench.store, stream, {
        direction,
        ...(direction === 'forward' ? { from: 4 } : {}),
        limit: 1,
      });
      expect(read.map((e) => e.revision)).toEqual([4]);
    });

    it.each([
      ['from', -1],
      ['from', 0.5],
      ['limit', -1],
      ['limit', Number.NaN],
    ])('refuses %s: %s, naming it', async (field, value) => {
      await expect(readBack(bench.store, freshStream(), { [field]: value })).rejects.toThrow(`${field}: ${value}`);
    });

    it('can be left in the middle, often', async () => {
      const stream = freshStream();
      await mustAppend(bench.store, stream, events(2500), NO_STREAM);
      for (let i = 0; i < 50; i++) {
        for await (const page of bench.store.read(stream)) {
          expect(page[0]?.revision).toBe(0);
          break;
        }
      }
      await mustAppend(bench.store, stream, events(1), 2499);
    });

    it('stops with the reason of its signal', async () => {
      const stream = freshStream();
      await mustAppend(bench.store, stream, events(3), NO_STREAM);
      const signal = AbortSignal.abort(new Error('changed my mind'));
      await expect(readBack(bench.store, stream, { signal })).rejects.toThrow('changed my mind');
    });
  });

  describe('read all', () => {
    it("gives every stream's events in the order they were committed", async () => {
      const [a, b, c] = [freshStream(), freshStream(), freshStream()];
      const written = [];
      const next = new Map([a, b, c].map((stream) => [stream, 0]));
      for (let i = 0; i < 60; i++) {
        const stream = [a, b, b, c, a][i % 5]!;
        const first = next.get(stream)!;
        const batch = events(1 + (i % 3));
        await mustAppend(bench.store, stream, batch, first - 1);
        next.set(stream, first + batch.length);
        written.push(...recorded(batch, stream, first));
      }
      const all = await collect(bench.store.readAll());
      expect(all.filter((e) => next.has(e.stream))).toEqual(written);
    });

    it('stops with the reason of its signal', async () => {
      await mustAppend(bench.store, freshStream(), events(1), NO_STREAM);
      const signal = AbortSignal.abort(new Error('enough'));
      await expect(collect(bench.store.readAll({ signal }))).rejects.toThrow('enough');
    });
  });
}

/** Comes last: what it writes cannot be read, so that `readAll` of this store ends there from then on. */
export function unknownEventContract(bench: Bench): void {
  it('refuses an unknown type or version, naming both and the place', async () => {
    const stream = freshStream().replace('pool-', 'other-');
    const strange = { ...event({}), type: 'NeverHeardOf', schemaVersion: 3 };
    await mustAppend(bench.store, stream, [event({}), strange], NO_STREAM);
    await mustAppend(bench.store, stream, [{ ...event({}), schemaVersion: 99 }], 1);
    const unknown = { name: 'UnknownEventError', stream, revision: 1, type: 'NeverHeardOf', schemaVersion: 3 };
    await expect(readBack(bench.store, stream)).rejects.toMatchObject(unknown);
    const version = { name: 'UnknownEventError', stream, revision: 2, type: 'LeaseReleased', schemaVersion: 99 };
    await expect(readBack(bench.store, stream, { from: 2 })).rejects.toMatchObject(version);
  });
}
