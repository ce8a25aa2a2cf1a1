import { describe, expect, it } from 'vitest';
import type { Snapshot } from '../../src/model/event-store.ts';
import { Turns } from '../support/turns.ts';
import type { Bench } from './contract.ts';
import { freshStream } from './fixture.ts';

const snapshot = (revision: number, ...parts: unknown[]): Snapshot => ({
  revision,
  schemaVersion: 1,
  codeVersion: '0.1.0',
  parts: parts.length === 0 ? [{ revision }] : parts,
});

export function snapshotContract(bench: Bench): void {
  describe('snapshots', () => {
    it('are absent at first', async () => {
      expect(await bench.store.snapshots.load(freshStream())).toBeUndefined();
    });

    it('come back as saved, the newest of each stream', async () => {
      const [a, b] = [freshStream(), freshStream()];
      const { snapshots } = bench.store;
      await snapshots.save(a, snapshot(3));
      await snapshots.save(b, snapshot(5, { tiers: [{ name: 'é"\\' }], none: null, 漢: [1, 2.5] }));
      await snapshots.save(a, snapshot(9));
      expect(await snapshots.load(a)).toEqual(snapshot(9));
      expect(await snapshots.load(b)).toEqual(snapshot(5, { tiers: [{ name: 'é"\\' }], none: null, 漢: [1, 2.5] }));
    });

    it('carry a large state whole', async () => {
      const stream = freshStream();
      const count = Math.ceil(bench.sizes.snapshotBytes / 100);
      const state = Object.fromEntries(Array.from({ length: count }, (_, i) => [`lease-${i}`, 'é'.repeat(45)]));
      await bench.store.snapshots.save(stream, snapshot(7, 'first\n', state, null));
      expect(await bench.store.snapshots.load(stream)).toEqual(snapshot(7, 'first\n', state, null));
      await bench.store.snapshots.save(stream, snapshot(8, { small: true }));
      expect(await bench.store.snapshots.load(stream)).toEqual(snapshot(8, { small: true }));
    });

    it('can be deleted at any time, absent ones too', async () => {
      const stream = freshStream();
      await bench.store.snapshots.delete(stream);
      await bench.store.snapshots.save(stream, snapshot(1));
      await bench.store.snapshots.delete(stream);
      expect(await bench.store.snapshots.load(stream)).toBeUndefined();
      await bench.store.snapshots.save(stream, snapshot(2));
      expect(await bench.store.snapshots.load(stream)).toEqual(snapshot(2));
    });

    it('share nothing with what was saved', async () => {
      const stream = freshStream();
      const state = { leases: [1] };
      await bench.store.snapshots.save(stream, snapshot(1, state));
      state.leases.push(2);
      expect((await bench.store.snapshots.load(stream))?.parts).toEqual([{ leases: [1] }]);
    });

    it('are written and read a part in each turn of the event loop at most', async () => {
      const stream = freshStream();
      const turns = new Turns();
      const taken: number[] = [];
      function* parts(): Generator<unknown> {
        for (let n = 0; n < 20; n++) {
          taken.push(turns.count);
          yield { n };
        }
      }
      await bench.store.snapshots.save(stream, { ...snapshot(1), parts: parts() });
      expect(new Set(taken).size).toBe(20);
      const before = turns.count;
      expect(await bench.store.snapshots.load(stream)).toMatchObject({ parts: taken.map((_, n) => ({ n })) });
      expect(turns.count - before).toBeGreaterThanOrEqual(20);
      turns.stop();
    });
  });
}
