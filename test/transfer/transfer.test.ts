import { describe, expect, it, vi } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { openEventStore } from '../../src/eventstore/open.ts';
import type { AppendResult, EventStore } from '../../src/model/event-store.ts';
import type { NewEvent } from '../../src/model/events.ts';
import { goodPart } from '../../src/transfer/cut.ts';
import { type ExportOptions, exportLog } from '../../src/transfer/export.ts';
import { importLog, verifyExport } from '../../src/transfer/import.ts';
import { history, rejection, world } from '../manager/fixture.ts';
import { startEventStoreDb } from '../support/eventstoredb/start.ts';

async function usedPool(): Promise<MemoryEventStore> {
  const { manager, store } = world({ config: { leases: { quarantineMs: 0 } } });
  const lease = await manager.allocate({ id: 'kept', requirements: { memory: 10 }, labels: { odd: '漢\u2028"\\é' } });
  const other = await manager.allocate({ id: 'given-back', requirements: { memory: 20 } });
  await manager.release(other);
  await manager.renew(lease);
  await manager.tryAllocate({ id: 'too-much', requirements: { memory: 95 } });
  await manager.tryAllocate({ id: 'never', requirements: { memory: 1_000 } });
  await manager.dispose();
  return store as MemoryEventStore;
}

async function textOf(store: EventStore, options: ExportOptions = {}): Promise<string> {
  let text = '';
  for await (const part of exportLog(store, 'default', options)) text += part;
  return text;
}

async function* linesOf(text: string): AsyncGenerator<string> {
  yield* text.split(/(?<=\n)/);
}

/** As they were before an import, which raises the token floor at the end. */
const exported = async (store: EventStore) => (await history(store)).filter(({ type }) => type !== 'TokenFloorRaised');
const streams = async (store: EventStore) => [await exported(store), await history(store, 'pool-default-audit')];
const floors = async (store: EventStore) =>
  (await history(store))
    .filter(({ type }) => type === 'TokenFloorRaised')
    .map(({ data }) => (data as { floor: number }).floor);

describe('moving a pool from one store to another', () => {
  it('gives every event its revision, in both streams', async () => {
    const from = await usedPool();
    const to = new MemoryEventStore();
    const imported = await importLog(to, 'default', linesOf(await textOf(from)));
    expect(await streams(to)).toEqual(await streams(from));
    expect(imported).toMatchObject({ refusals: 2, alreadyThere: 0, lastToken: 2, tokenFloor: 2 + 2 ** 40 });
  });

  it('lets the pool go on where it was: the same lease under the same token', async () => {
    const from = await usedPool();
    const to = new MemoryEventStore();
    await importLog(to, 'default', linesOf(await textOf(from)));
    const { manager } = world({ store: to });
    const [lease] = (await manager.listLeases({ state: 'active' })).items;
    expect(lease).toMatchObject({ requestId: 'kept', token: 1 });
    await manager.renew({ id: lease!.id, token: 1 });
    expect((await manager.allocate({ requirements: { memory: 1 } })).token).toBe(2 ** 40 + 3);
    await manager.dispose();
  });

  it('gives no token that the origin, which goes on, gives too; or none up to the floor that was asked for', async () => {
    const from = await usedPool();
    const text = await textOf(from);
    const to = new MemoryEventStore();
    await importLog(to, 'default', linesOf(text));
    const tokens = new Set<number>();
    for (const store of [from, to]) {
      const { manager } = world({ store });
      for (let i = 0; i < 5; i++) tokens.add((await manager.allocate({ requirements: { memory: 1 } })).token);
      await manager.dispose();
    }
    expect(tokens.size).toBe(10);
    const asked = new MemoryEventStore();
    expect(await rejection(importLog(asked, 'default', linesOf(text), { tokenFloor: 1 }))).toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringContaining('token floor: 1 is not allowed'),
    });
    await importLog(asked, 'default', linesOf(text), { tokenFloor: 7 });
    expect(await importLog(asked, 'default', linesOf(text))).toMatchObject({ tokenFloor: 7 });
    expect(await floors(asked)).toEqual([7]);
    await importLog(asked, 'default', linesOf(text), { tokenFloor: 9 });
    expect(await floors(asked)).toEqual([7, 9]);
    const { manager } = world({ store: asked });
    expect((await manager.allocate({ requirements: { memory: 1 } })).token).toBe(10);
    await manager.dispose();
  });

  it('to EventStoreDB and back gives the same text, and the pool goes on there', async () => {
    const server = await startEventStoreDb({ fsync: false });
    const from = await usedPool();
    const text = await textOf(from);
    const there = await openEventStore(server.url);
    await importLog(there, 'default', linesOf(text));
    expect(await streams(there)).toEqual(await streams(from));
    const { manager } = world({ store: there });
    expect((await manager.allocate({ requirements: { memory: 1 } })).token).toBe(2 ** 40 + 3);
    await manager.dispose();
    const back = new MemoryEventStore();
    await importLog(back, 'default', linesOf(await textOf(there)));
    expect(await streams(back)).toEqual(await streams(there));
    await there.close();
    await server.stop();
  });

  it('carries the refusals that a server still has, when it keeps only so many', async () => {
    const server = await startEventStoreDb({ fsync: false });
    const from = await openEventStore(server.url, { auditRetention: { maxAgeMs: 3_600_000, maxCount: 1 } });
    const whole = await usedPool();
    await importLog(from, 'default', linesOf(await textOf(whole)));
    await vi.waitFor(async () => expect(await history(from, 'pool-default-audit')).toHaveLength(1));
    const text = await textOf(from);
    const to = new MemoryEventStore();
    const imported = await importLog(to, 'default', linesOf(text));
    expect(imported).toMatchObject({ refusals: 1, alreadyThere: 0 });
    expect(await exported(to)).toEqual(await history(whole));
    const ids = async (store: EventStore) => (await history(store, 'pool-default-audit')).map(({ id }) => id);
    expect(await ids(to)).toEqual((await ids(whole)).slice(-1));
    expect(await importLog(from, 'default', linesOf(text))).toMatchObject({ alreadyThere: imported.events + 1 });
    const without = linesOf(text.replace(/^.*"stream":"pool".*\n/m, ''));
    expect(await rejection(verifyExport(without, 'default'))).toMatchObject({ code: 'INVALID_REQUEST' });
    await from.close();
    await server.stop();
  });

  it('begun again after it was done, finds everything there', async () => {
    const from = await usedPool();
    const to = new MemoryEventStore();
    const text = await textOf(from);
    await importLog(to, 'default', linesOf(text));
    const { events, refusals, alreadyThere } = await importLog(to, 'default', linesOf(text));
    expect(alreadyThere).toBe(events + refusals);
    expect(await floors(to)).toHaveLength(1);
    expect(await streams(to)).toEqual(await streams(from));
  });

  it('refuses a store in which the pool has gone on, or is another, and leaves it as it is', async () => {
    const from = await usedPool();
    const text = await textOf(from);
    const gone = new MemoryEventStore();
    await importLog(gone, 'default', linesOf(text));
    const { manager } = world({ store: gone });
    await manager.ready();
    await manager.dispose();
    for (const store of [gone, await usedPool()]) {
      const before = await streams(store);
      expect(await rejection(importLog(store, 'default', linesOf(text)))).toMatchObject({ code: 'REVISION_MISMATCH' });
      expect(await streams(store)).toEqual(before);
    }
  });

  it('goes on after a store that failed in between, and with an outcome that was unknown', async () => {
    const from = await usedPool();
    const text = await textOf(from);
    const to = new MemoryEventStore();
    const answers: ('unknown, applied' | 'unknown' | 'failed' | 'appended')[] = [
      'unknown',
      'unknown, applied',
      'appended',
      'failed',
    ];
    const append = (stream: string, events: readonly NewEvent[], expected: number): AppendResult => {
      const answer = answers.shift() ?? 'appended';
      if (answer === 'failed') return { outcome: 'failed', cause: new Error('disk full'), retryable: false };
      if (answer === 'unknown') return { outcome: 'unknown', cause: new Error('reset') };
      const result = to.append(stream, events, expected);
      return answer === 'appended' ? result : { outcome: 'unknown', cause: new Error('reset') };
    };
    expect(await rejection(importLog(withAppend(to, append), 'default', linesOf(text)))).toMatchObject({
      code: 'LOG_UNAVAILABLE',
    });
    const { alreadyThere, events } = await importLog(to, 'default', linesOf(text));
    expect(alreadyThere).toBeGreaterThan(0);
    expect(alreadyThere).toBeLessThan(events);
    expect(await floors(to)).toHaveLength(1);
    expect(await streams(to)).toEqual(await streams(from));
  });
});

/** The store with other appends, of two events at most. */
const withAppend = (store: MemoryEventStore, append: EventStore['append']): EventStore => ({
  traits: { ...store.traits, maxAppendEvents: 2 },
  snapshots: store.snapshots,
  append,
  read: (stream, options) => store.read(stream, options),
  readAll: (options) => store.readAll(options),
  subscribe: (stream, options) => store.subscribe(stream, options),
  close: () => store.close(),
});

describe('an exported log', () => {
  it('is refused, naming the line, wherever a byte of it was changed', async () => {
    const text = await textOf(await usedPool());
    for (let at = 0; at < text.length; at += 7) {
      if (text[at] === '\n') continue;
      const changed = text.slice(0, at) + (text[at] === 'x' ? 'y' : 'x') + text.slice(at + 1);
      const error = await rejection(verifyExport(linesOf(changed), 'default'));
      const line = text.slice(0, at).split('\n').length;
      expect(error, `byte ${at}`).toMatchObject({
        code: 'INVALID_REQUEST',
        message: expect.stringContaining(`line ${line} `),
      });
    }
  });

  it('is refused when a line is missing, doubled or moved', async () => {
    const lines = (await textOf(await usedPool())).split(/(?<=\n)/);
    for (let i = 0; i < lines.length - 1; i++) {
      const without = lines.toSpliced(i, 1);
      const doubled = lines.toSpliced(i, 0, lines[i]!);
      const moved = lines.toSpliced(i, 2, lines[i + 1]!, lines[i]!);
      for (const wrong of [without, doubled, moved])
        expect(await rejection(verifyExport(linesOf(wrong.join('')), 'default'))).toMatchObject({
          code: 'INVALID_REQUEST',
        });
    }
    expect(await rejection(verifyExport(linesOf(lines.slice(0, -1).join('')), 'default'))).toMatchObject({
      message: expect.stringContaining('no end'),
    });
  });

  it('that was cut short at any byte goes on to the same text', async () => {
    const store = await usedPool();
    const text = await textOf(store);
    for (let at = 0; at <= text.length; at += 11) {
      const cut = Buffer.from(text).subarray(0, at);
      const good = await goodPart(linesOf(cut.toString()), 'default');
      expect(good.whole).toBe(false);
      if (good.whole) continue;
      const kept = cut.subarray(0, good.bytes).toString();
      expect(kept + (await textOf(store, good.after === undefined ? {} : { after: good.after }))).toBe(text);
    }
    expect(await goodPart(linesOf(text), 'default')).toEqual({ whole: true, bytes: Buffer.byteLength(text) });
  });

  it('ends where the log ended when it was begun, whatever is written meanwhile', async () => {
    const store = await usedPool();
    const text = await textOf(store);
    const good = await goodPart(
      linesOf(
        text
          .split(/(?<=\n)/)
          .slice(0, 3)
          .join(''),
      ),
      'default',
    );
    const { manager } = world({ store });
    await manager.allocate({ requirements: { memory: 1 } });
    await manager.dispose();
    if (good.whole || good.after === undefined) throw new Error('it was cut');
    expect(text.slice(0, good.bytes) + (await textOf(store, { after: good.after }))).toBe(text);
  });

  it('of another pool, or of a pool that is not there, is refused', async () => {
    const store = await usedPool();
    expect(await rejection(verifyExport(linesOf(await textOf(store)), 'other'))).toMatchObject({
      message: expect.stringContaining('allowed: default'),
    });
    expect(await rejection(exportLog(store, 'other').next())).toMatchObject({ code: 'NOT_FOUND' });
  });
});
