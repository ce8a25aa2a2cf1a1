import { describe, expect, it } from 'vitest';
import { NO_STREAM } from '../../src/model/event-store.ts';
import type { Bench } from './contract.ts';
import { collect, event, events, freshStream, mustAppend, readBack, recorded, takeUntil } from './fixture.ts';

export function reopenContract(bench: Bench): void {
  describe('close', () => {
    it('ends subscriptions, refuses what comes after it, and may be called twice', async () => {
      const stream = freshStream();
      const before = bench.store;
      await mustAppend(before, stream, events(1), NO_STREAM);
      const delivered = Promise.withResolvers<void>();
      const ended = takeUntil(before.subscribe(stream), (seen) => {
        if (seen.length === 1) delivered.resolve();
        return false;
      });
      await delivered.promise;
      await bench.reopen();
      expect((await ended).seen).toHaveLength(1);
      expect(await before.append(stream, events(1), 0)).toMatchObject({ outcome: 'failed', retryable: false });
      await expect(readBack(before, stream)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
      await expect(collect(before.readAll())).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
      await expect(takeUntil(before.subscribe(stream), () => true)).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' });
      await before.close();
    });

    it('keeps everything for the next time, if the store is durable', async () => {
      if (!bench.store.traits.durable) return;
      const stream = freshStream();
      const batch = [...events(2000), event({ last: '漢' })];
      await mustAppend(bench.store, stream, batch, NO_STREAM);
      const snapshot = { revision: 2000, schemaVersion: 1, codeVersion: 'x', parts: [{ a: 1 }, 2] };
      await bench.store.snapshots.save(stream, snapshot);
      const store = await bench.reopen();
      expect(await readBack(store, stream)).toEqual(recorded(batch, stream));
      expect(await store.snapshots.load(stream)).toEqual(snapshot);
      expect(await store.append(stream, events(1), 1999)).toEqual({ outcome: 'conflict', revision: 2000 });
      expect(await store.append(stream, events(1), 2000)).toEqual({ outcome: 'appended', revision: 2001 });
    });
  });
}
