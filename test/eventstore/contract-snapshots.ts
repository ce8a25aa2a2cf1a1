import { describe, expect, it } from 'vitest';
import type { EventStore, Snapshot } from '../../src/model/event-store.ts';
import { AWKWARD, newStream } from './events.ts';

const snapshot = (revision: number, state: unknown): Snapshot => ({
  revision,
  schemaVersion: 1,
  codeVersion: '1.2.3',
  state,
});

export function snapshotContract(store: () => EventStore): void {
  describe('snapshots', () => {
    it('gives back the newest exactly, and none where there is none', async () => {
      const stream = newStream();
      expect(await store().snapshots.load(stream)).toBeUndefined();
      await store().snapshots.save(stream, snapshot(1, { old: true }));
      await store().snapshots.save(stream, snapshot(7, AWKWARD));
      expect(await store().snapshots.load(stream)).toStrictEqual(snapshot(7, AWKWARD));
      await store().snapshots.delete(stream);
      expect(await store().snapshots.load(stream)).toBeUndefined();
      await store().snapshots.delete(stream);
    });

    it('does not see later changes to what was saved', async () => {
      const stream = newStream();
      const state = { leases: [1] };
      await store().snapshots.save(stream, snapshot(1, state));
      state.leases.push(2);
      expect((await store().snapshots.load(stream))?.state).toEqual({ leases: [1] });
    });

    it('keeps one of several megabytes', async () => {
      const stream = newStream();
      const large = snapshot(3, {
        leases: Array.from({ length: 60_000 }, (_, i) => ({ id: `lease-${i}`, memoryBytes: i })),
      });
      await store().snapshots.save(stream, large);
      expect(await store().snapshots.load(stream)).toStrictEqual(large);
    });
  });
}
