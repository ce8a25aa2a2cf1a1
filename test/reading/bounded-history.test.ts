import { describe, expect, it } from 'vitest';
import { evolve } from '../../src/domain/evolve.ts';
import { canonicalState } from '../../src/domain/snapshot.ts';
import { emptyState } from '../../src/domain/state.ts';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { readRange } from '../../src/eventstore/read-range.ts';
import type { ResourcePoolManager } from '../../src/manager/pool-manager.ts';
import type { NewEvent, RecordedPoolEvent } from '../../src/model/events.ts';
import type { EventFilter, StreamItem } from '../../src/model/reading.ts';
import type { PoolView } from '../../src/model/views.ts';
import { logBase } from '../../src/reading/log-base.ts';
import { LogReader } from '../../src/reading/log-reader.ts';
import { Timeline } from '../../src/replay/timeline.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { FaultyStore } from '../../src/testing/faulty-store.ts';
import { exportLog } from '../../src/transfer/index.ts';
import { servePool } from '../api/support/pool.ts';
import { ask } from '../api/support/serve.ts';
import { history, rejection, world } from '../manager/fixture.ts';

const KEPT = 200;
const STREAM = 'pool-default';

/** A store that keeps little, and beside it all that was ever appended to the pool. */
function noting() {
  const store = new MemoryEventStore({ events: KEPT });
  const all: RecordedPoolEvent[] = [];
  const append = store.append.bind(store);
  store.append = (stream: string, events: readonly NewEvent[], expected: number) => {
    const result = append(stream, events, expected);
    if (stream === STREAM && result.outcome === 'appended')
      all.push(
        ...(events.map((event, n) => ({ ...event, stream, revision: expected + 1 + n })) as RecordedPoolEvent[]),
      );
    return result;
  };
  return { store, all, first: () => store.history.first(STREAM) };
}

/** Grants, of which every third is held on to, and releases; some refusals. */
async function work(manager: ResourcePoolManager, rounds: number): Promise<void> {
  for (let n = 0; n < rounds; n++) {
    const lease = await manager.allocate({ requirements: { memory: 1 }, ttlMs: 3_600_000, labels: { n: `${n}` } });
    if (n % 3 !== 0 || n > 30) await manager.release(lease);
  }
}

function foldTo(all: readonly RecordedPoolEvent[], revision: number) {
  const state = emptyState();
  for (const event of all) if (event.revision <= revision) evolve(state, event);
  return state;
}

const shown = ({ revision, at, leases, tiers, capacity }: PoolView) => ({ revision, at, leases, tiers, capacity });

describe('a pool over a bounded history', () => {
  it('looks back as far as the history goes, as if it went on to the beginning, and names the first revision before it', async () => {
    const { store, all, first } = noting();
    const { manager, clock } = world({ store });
    const whole = new MemoryEventStore();
    await work(manager, 60);
    await manager.getPool({ revision: 50 });
    await clock.advanceAsync(1_000);
    await work(manager, 200);
    expect(first()).toBe(all.length - KEPT);
    whole.append(STREAM, all, -1);
    const reader = new LogReader(whole, 'default');
    for (const revision of [first(), first() + 1, first() + 100, all.length - 1])
      expect(shown(await manager.getPool({ revision }))).toEqual(shown(await reader.getPool({ revision })));
    const source = (from: number, to: number) => readRange<RecordedPoolEvent>(store, STREAM, from, to);
    const timeline = new Timeline(source, undefined, () => logBase(store, STREAM)!.state);
    for (const revision of [first(), first() + 50, all.length - 1])
      expect(canonicalState(await timeline.stateAt({ revision }))).toBe(canonicalState(foldTo(all, revision)));
    const { at } = all.at(-1)!;
    expect(shown(await manager.getPool({ at }))).toEqual(shown(await reader.getPool({ at })));
    for (const revision of [0, 50, first() - 1])
      expect(await rejection(manager.getPool({ revision }))).toMatchObject({
        code: 'NOT_FOUND',
        details: { revision, first: first() },
      });
    const before = all[0]!.at - 1;
    expect(await rejection(manager.getPool({ at: before }))).toMatchObject({
      code: 'NOT_FOUND',
      details: { first: first() },
    });
    expect(await rejection(manager.getPool({ revision: all.length + 5 }))).toMatchObject({ code: 'NOT_FOUND' });
    await manager.dispose();
  });

  it('pages and follows what is kept, and says what is gone', async () => {
    const { store, first } = noting();
    const { manager } = world({ store });
    await work(manager, 150);
    const page = await manager.pageEvents({}, { limit: 3 });
    expect(page.items.map(({ revision }) => revision)).toEqual([first(), first() + 1, first() + 2]);
    const gone = { code: 'NOT_FOUND', details: { first: first() } };
    expect(await rejection(manager.pageEvents({ from: 0 }, {}))).toMatchObject(gone);
    expect(await rejection(manager.pageEvents({}, { cursor: '5' }))).toMatchObject(gone);
    const following = manager.followEvents({})[Symbol.asyncIterator]();
    expect((await following.next()).value).toMatchObject({ event: { revision: first() } });
    await following.return?.(undefined);
    const fromStart = manager.followEvents({ from: 0 })[Symbol.asyncIterator]() as AsyncIterator<StreamItem<never>>;
    expect(await rejection(fromStart.next())).toMatchObject(gone);
    for await (const event of manager.events({ filter: { to: first() } })) expect(event.revision).toBe(first());
    await manager.dispose();
  });

  it('is followed by what is asked for also where its beginning moves on meanwhile, unless that was named', async () => {
    const { store, first } = noting();
    const { manager } = world({ store });
    await work(manager, 150);
    const read = store.read.bind(store);
    let overtaken = 0;
    /** Before each of the next reads of history the pool goes on, past the first event that is kept. */
    const overtake = (reads: number): void => {
      overtaken = reads;
    };
    store.read = async function* (stream, options) {
      if (options?.limit !== 1 && overtaken-- > 0) await work(manager, 2);
      yield* read(stream, options);
    };
    const begin = (filter: EventFilter) => manager.followEvents(filter)[Symbol.asyncIterator]();
    const types = ['LeaseReleased'] as const;
    overtake(3);
    const following = begin({ types });
    expect((await following.next()).value).toMatchObject({ event: { type: 'LeaseReleased' } });
    await following.return?.(undefined);
    expect(overtaken).toBeLessThan(0);
    overtake(1);
    expect(await rejection(begin({ types, from: first() }).next())).toMatchObject({ code: 'NOT_FOUND' });
    overtake(Number.POSITIVE_INFINITY);
    expect(await rejection(begin({ types }).next())).toMatchObject({ code: 'NOT_FOUND' });
    await manager.dispose();
  });

  it('is followed from what is kept then while others append in every turn', async () => {
    const { store } = noting();
    const { manager } = world({ store });
    await work(manager, 150);
    let isOver = false;
    const busy = (async () => {
      while (!isOver) {
        await manager.release(await manager.allocate({ requirements: { memory: 1 } }));
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    for (let followers = 0; followers < 20; followers++) {
      const following = manager.followEvents({ types: ['LeaseReleased', 'LeaseGranted'] })[Symbol.asyncIterator]();
      expect((await following.next()).value).toHaveProperty('event');
      await following.return?.(undefined);
    }
    isOver = true;
    await busy;
    await manager.dispose();
  });

  it('says the same over HTTP, in each of the three ways', async () => {
    const { store, first } = noting();
    const { manager, url } = await servePool({ store });
    await work(manager, 150);
    const gone = { first: first() };
    for (const path of ['/v1/events?from=0', '/v1/events?cursor=7', '/v1/pool?revision=3', '/v1/pool?at=5'])
      expect((await ask(url, 'GET', path)).body).toMatchObject({ status: 404, code: 'NOT_FOUND', ...gone });
    for (const accept of ['application/x-ndjson', 'text/event-stream']) {
      const headers = { accept };
      if (accept.includes('event-stream'))
        expect((await ask(url, 'GET', '/v1/events?from=0', { headers })).body).toMatchObject({ status: 404, ...gone });
      const { body } = await ask(url, 'GET', `/v1/events?to=${first() + 1}`, { headers });
      expect(body).toMatch(new RegExp(`"?(revision|id)"?: ?${first()}`));
    }
    await expect.poll(async () => (await ask(url, 'GET', `/v1/pool?revision=${first()}`)).status).toBe(200);
  });

  it('keeps as many refusals, and no more', async () => {
    const { store } = noting();
    const { manager, clock } = world({ store, tuning: { refusalsPerSecond: 10_000 } });
    for (let n = 0; n < 30; n++) {
      for (let i = 0; i < 10; i++) await manager.tryAllocate({ requirements: { memory: 200 } });
      await clock.advanceAsync(1_000);
    }
    const first = store.history.first(`${STREAM}-audit`);
    expect(first).toBe(100);
    expect((await manager.pageRefusals({}, { limit: 1 })).items[0]!.revision).toBe(first);
    expect(await rejection(manager.pageRefusals({ from: 3 }, {}))).toMatchObject({ details: { first } });
    for (const filter of [{}, { types: ['RequestRefused'] }]) {
      const following = manager.followRefusals(filter)[Symbol.asyncIterator]();
      expect((await following.next()).value).toMatchObject({ event: { revision: first } });
      await following.return?.(undefined);
    }
    expect((await manager.getMetrics()).refusedTotal).toBe(300);
    await manager.dispose();
  });

  it('is taken over by the next manager where it stands: from a snapshot, or from what stands for the beginning', async () => {
    for (const disposes of [true, false]) {
      const { store, all } = noting();
      const clock = fakeClock();
      const before = world({ store: new FaultyStore(store, { clock, random: () => 0.5 }), clock });
      await work(before.manager, 150);
      const leases = (await before.manager.listLeases({ state: 'active', limit: 1_000 })).items;
      if (disposes) await before.manager.dispose();
      else (before.store as FaultyStore).kill();
      const next = world({ store, clock, options: { writerId: 'writer-2' } });
      await next.manager.ready();
      const now = (await next.manager.listLeases({ state: 'active', limit: 1_000 })).items;
      expect(now.map(({ id }) => id)).toEqual(leases.map(({ id }) => id));
      await next.manager.release(now[0]!);
      await work(next.manager, 60);
      const { state } = new LogState(await history(store), foldTo(all, store.history.first(STREAM) - 1));
      expect(canonicalState(state)).toBe(canonicalState(foldTo(all, all.length - 1)));
      expect((await next.manager.getUtilization()).series.at(-1)).toMatchObject({ leases: leases.length - 1 + 11 });
      await next.manager.dispose();
    }
  });

  it('does not begin where nothing stands for what was let go of, and is not exported in part', async () => {
    const { store, all, first } = noting();
    const { manager } = world({ store });
    await work(manager, 150);
    await expect(exportLog(store, 'default').next()).rejects.toMatchObject({
      code: 'NOT_FOUND',
      details: { first: first() },
    });
    await manager.dispose();
    const raw = new MemoryEventStore({ events: KEPT });
    for (const event of all) raw.append(STREAM, [event], event.revision - 1);
    const late = world({ store: raw });
    const error = await rejection(late.manager.ready());
    expect(error).toMatchObject({ code: 'NOT_FOUND', details: { first: raw.history.first(STREAM) } });
    await late.manager.dispose();
  });
});

/** A tail folded onto what stands for the beginning. */
class LogState {
  readonly state;

  constructor(tail: readonly RecordedPoolEvent[], base: ReturnType<typeof emptyState>) {
    this.state = base;
    for (const event of tail) evolve(base, event);
  }
}
