import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { PAGE_EVENTS } from '../../src/eventstore/ranges.ts';
import type { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import type { ReadOptions } from '../../src/model/event-store.ts';
import type { RecordedEvent } from '../../src/model/events.ts';
import { LogReader } from '../../src/reading/log-reader.ts';
import { rejection, world } from '../manager/fixture.ts';
import { Turns } from '../support/turns.ts';

const LEASES = 2_000;

/** Notes of every page that is read in which turn of the event loop that was, and what it holds. */
class WatchedStore extends MemoryEventStore {
  readonly turns = new Turns();
  onPage: (pages: number) => unknown = () => undefined;
  pages: { readonly turn: number; readonly first: number; readonly events: number }[] = [];

  override async *read(stream: string, options?: ReadOptions): AsyncGenerator<readonly RecordedEvent[]> {
    for await (const page of super.read(stream, options)) {
      if (options?.limit !== 1)
        this.pages.push({ turn: this.turns.count, first: page[0]!.revision, events: page.length });
      this.onPage(this.pages.length);
      yield page;
    }
  }

  /** No two pages since it was last asked were read in one turn. */
  mustHaveTurned(atLeast: number): void {
    const { pages } = this;
    this.pages = [];
    expect(pages.length).toBeGreaterThanOrEqual(atLeast);
    expect(new Set(pages.map(({ turn }) => turn)).size).toBe(pages.length);
    for (const { events } of pages) expect(events).toBeLessThanOrEqual(PAGE_EVENTS);
  }
}

const store = new WatchedStore();
const PAGES = Math.floor((2 * LEASES) / PAGE_EVENTS);
let manager: ResourcePoolManager;
let head: number;

beforeAll(async () => {
  const before = world({ store });
  for (let at = 0; at < LEASES; at += 50) {
    const ask = (_: unknown, i: number) =>
      before.manager.allocate({ owner: `owner-${(at + i) % 9}`, requirements: { memory: 1 } });
    const leases = await Promise.all(Array.from({ length: 50 }, ask));
    await Promise.all(leases.map((lease) => before.manager.release(lease)));
  }
  await before.manager.dispose();
});
afterAll(async () => {
  await manager.dispose();
  store.turns.stop();
});

describe('a log of many pages is read with a turn of the event loop between two of them', () => {
  test('when a manager recovers, from a snapshot or without one', async () => {
    await store.snapshots.delete('pool-default');
    store.pages = [];
    const first = world({ store });
    await first.manager.ready();
    store.mustHaveTurned(PAGES);
    await first.manager.dispose();
    manager = world({ store }).manager;
    await manager.ready();
    store.mustHaveTurned(0);
    head = (await manager.getPool()).revision;
  });

  test('when a moment is sought; many who seek at once share the way, and who goes stops it', async () => {
    const from = Array.from({ length: 10 }, () => manager.getPool({ revision: head - 1 }));
    const views = await Promise.all(from);
    expect(new Set(views.map(({ revision }) => revision))).toEqual(new Set([head - 1]));
    expect(store.pages.length).toBeLessThanOrEqual(PAGES + 20);
    store.mustHaveTurned(PAGES);
    const gone = new AbortController();
    store.onPage = (pages) => pages === 3 && gone.abort(new Error('gone'));
    const beside = new LogReader(store, 'default'); // with a timeline of its own
    await expect(beside.getPool({ revision: head - 1 }, gone.signal)).rejects.toThrow('gone');
    expect(store.pages).toHaveLength(3);
    store.onPage = () => undefined;
  });

  test('when a moment is sought behind another seek, and who goes before its turn does not wait for it', async () => {
    const reader = new LogReader(store, 'default');
    let isThrough = false;
    const first = reader.getPool({ revision: head }).finally(() => {
      isThrough = true;
    });
    const gone = new AbortController();
    const behind = reader.getPool({ revision: head - 1 }, gone.signal);
    gone.abort(new Error('gone'));
    await expect(behind).rejects.toThrow('gone');
    expect(isThrough).toBe(false);
    await expect(reader.getPool({ revision: 0 }, gone.signal)).rejects.toThrow('gone');
    expect(isThrough).toBe(false);
    expect((await first).revision).toBe(head);
    store.mustHaveTurned(PAGES);
  });

  test('when it is paged and followed, by several at once, and a command does not wait for them', async () => {
    store.pages = [];
    const follow = async () => {
      let events = 0;
      for await (const item of manager.followEvents({})) {
        if ('caughtUp' in item) return events;
        events += 1;
      }
      return events;
    };
    let commanded = -1;
    const command = manager
      .allocate({ requirements: { memory: 1 } })
      .then((lease) => manager.release(lease))
      .then(() => {
        commanded = store.pages.length;
      });
    const pages = Array.from({ length: 8 }, () => manager.pageEvents({ to: head }, { limit: 1_000 }));
    const [followed, ...read] = await Promise.all([follow(), ...pages]);
    await command;
    expect(followed).toBeGreaterThan(head);
    expect(read.map(({ items }) => items.length)).toEqual(Array(8).fill(1_000));
    expect(commanded).toBeLessThan(8);
    store.mustHaveTurned(8 * 4);
  });

  test('when it is searched; who goes stops that, and what is nowhere is not looked for', async () => {
    const started = new AbortController();
    started.abort(new Error('gone'));
    const page = manager.pageEvents({ types: ['LeaseGranted'] }, { limit: 1_000, signal: started.signal });
    await expect(page).rejects.toThrow('gone');
    store.pages = [];
    expect((await manager.pageEvents({ types: ['PoolDrainStarted'] }, {})).items).toEqual([]);
    expect(store.pages).toEqual([]);
    const all = await manager.pageEvents({ owner: 'owner-3' }, { limit: 1_000 });
    expect(all.items.every(({ data }) => !('request' in data) || data.request.owner === 'owner-3')).toBe(true);
    store.mustHaveTurned(PAGES);
    expect(await rejection(manager.getPool({ revision: head + 1_000 }))).toMatchObject({ code: 'NOT_FOUND' });
  });
});
