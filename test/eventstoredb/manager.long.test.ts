import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { appendLimits, fitting, withinLimits } from '../../src/eventstore/append-limits.ts';
import { createResourceDetector, DEFAULT_POOL_CONFIG, ResourcePoolManager } from '../../src/index.ts';
import type { Clock } from '../../src/model/clock.ts';
import type { EventStore } from '../../src/model/event-store.ts';
import type { NewEvent } from '../../src/model/events.ts';
import { auditStream, poolStream } from '../../src/model/ids.ts';
import { systemClock } from '../../src/time/system-clock.ts';
import { event, freshStream, readBack } from '../eventstore/fixture.ts';
import { type Rig, startRig } from './adapter/adapter.ts';

const LIMIT = 1_048_576;
/** As many labels as a request may have, 4 KiB of them, which each event about the request carries. */
const LABELS = Object.fromEntries(
  Array.from({ length: 64 }, (_, n) => [`l${String(n).padStart(2, '0')}`, '漢'.repeat(20)]),
);

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
});
afterAll(() => rig.stop());

const managers: ResourcePoolManager[] = [];
afterEach(async () => {
  await Promise.all(managers.splice(0).map((manager) => manager.dispose()));
});

function managerOn(eventStore: EventStore, poolId: string, clock: Clock = systemClock): ResourcePoolManager {
  const detector = createResourceDetector({ capacity: { memory: '8Gi', cpu: 400 } });
  const manager = new ResourcePoolManager(detector, DEFAULT_POOL_CONFIG, { eventStore, poolId, clock });
  managers.push(manager);
  return manager;
}

/** The store, and how many bytes of data each append to the stream had. */
function weighing(inner: EventStore, weighed: string): { store: EventStore; bytes: number[] } {
  const bytes: number[] = [];
  const store: EventStore = {
    traits: inner.traits,
    snapshots: inner.snapshots,
    append: (stream, events, expected) => {
      if (stream === weighed) bytes.push(weigh(events));
      return inner.append(stream, events, expected);
    },
    read: (stream, options) => inner.read(stream, options),
    readAll: (options) => inner.readAll(options),
    subscribe: (stream, options) => inner.subscribe(stream, options),
    close: () => inner.close(),
  };
  return { store, bytes };
}

const weigh = (events: readonly NewEvent[]): number =>
  events.reduce((sum, { data }) => sum + Buffer.byteLength(JSON.stringify(data)), 0);

/** A clock by which what is done in one turn of the event loop takes no time: no batch ends because its slice is used up. */
function clockOfTurns(): Clock {
  let nowMs: number | undefined;
  return {
    ...systemClock,
    monotonic: () => {
      if (nowMs === undefined)
        setImmediate(() => {
          nowMs = undefined;
        });
      nowMs ??= systemClock.monotonic();
      return nowMs;
    },
  };
}

describe('a batch over the size of an append', () => {
  it('is cut between commands, and every command is carried out', async () => {
    const poolId = freshStream();
    const { store, bytes } = weighing(await rig.open(), poolStream(poolId));
    const manager = managerOn(store, poolId, clockOfTurns());
    await manager.ready();
    const ids = Array.from({ length: 500 }, (_, n) => `task-${n}`);
    const leases = await Promise.all(
      ids.map((id) => manager.allocate({ id, requirements: { memory: 1 }, labels: LABELS })),
    );
    expect(leases.map(({ requestId }) => requestId)).toEqual(ids);
    expect(leases.map(({ token }) => token)).toEqual(ids.map((_, n) => n + 1));
    expect(Math.max(...bytes)).toBeLessThanOrEqual(LIMIT);
    expect(Math.max(...bytes)).toBeGreaterThan(LIMIT - 100_000);
    expect(bytes.reduce((sum, each) => sum + each)).toBeGreaterThan(2 * LIMIT);
  });

  it('is cut in the audit stream too: no refusal is left out', async () => {
    const poolId = freshStream();
    const { store, bytes } = weighing(await rig.open(), auditStream(poolId));
    const manager = managerOn(store, poolId);
    const ids = Array.from({ length: 60 }, (_, n) => `task-${n}`);
    const tried = ids.map((id) => manager.tryAllocate({ id, requirements: { memory: '900Gi' }, labels: LABELS }));
    for (const answer of await Promise.all(tried)) expect(answer).toHaveProperty('refused');
    const refusals = async () => {
      const events = await readBack(store, auditStream(poolId));
      return events.map(({ data }) => (data as { request: { id: string } }).request.id);
    };
    await expect.poll(refusals, { timeout: 20_000 }).toEqual(ids);
    expect(Math.max(...bytes)).toBeLessThanOrEqual(LIMIT);
  });

  it('is measured as the server measures it: the bytes of the data alone, up to the very last one', () => {
    const limits = appendLimits({ durable: true, shared: true, maxAppendEvents: 3, maxAppendBytes: 10, url: '' });
    const four = event('ab'); // with its quotes
    expect(withinLimits(limits, 0, 0, [four, four])).toBe(8);
    expect(withinLimits(limits, 1, 6, [four])).toBe(10);
    expect(withinLimits(limits, 1, 7, [four])).toBe(-1);
    expect(withinLimits(limits, 3, 0, [four])).toBe(-1);
    expect([[], [four], [four, four, four], [event('漢漢漢'), four]].map((events) => fitting(limits, events))).toEqual([
      0, 1, 2, 1,
    ]);
  });
});

describe('an append in doubt', () => {
  const outcome = (call: Promise<unknown>): Promise<string> =>
    call.then(
      () => 'granted',
      (error: { code: string }) => error.code,
    );

  it('whose answer was dropped: the caller is told so, and finds by the same key what was done', {
    timeout: 60_000,
  }, async () => {
    const poolId = freshStream();
    const manager = managerOn(await rig.open('&defaultDeadline=500'), poolId);
    await manager.ready();
    const request = { id: 'task-1', idempotencyKey: 'key-1', requirements: { memory: 1 } };
    rig.proxy.dropAnswers();
    expect(await outcome(manager.allocate(request))).toBe('OUTCOME_UNKNOWN');
    expect(await outcome(manager.allocate({ requirements: { memory: 1 } }))).toBe('LOG_UNAVAILABLE');
    expect((await manager.listLeases()).items).toEqual([]);
    rig.proxy.heal();
    await expect.poll(() => outcome(manager.allocate(request)), { timeout: 40_000, interval: 200 }).toBe('granted');
    const { items } = await manager.listLeases();
    expect(items.map(({ requestId, token }) => [requestId, token])).toEqual([['task-1', 1]]);
    const log = await readBack(await rig.open(), poolStream(poolId));
    expect(log.filter(({ type }) => type === 'LeaseGranted')).toHaveLength(1);
  });

  it('over a line that is dead for long: a mark takes its place, and the pool goes on', {
    timeout: 60_000,
  }, async () => {
    const poolId = freshStream();
    const store = await rig.open('&defaultDeadline=300&keepAliveInterval=500&keepAliveTimeout=500');
    const detector = createResourceDetector({ capacity: { memory: '8Gi', cpu: 400 } });
    const manager = new ResourcePoolManager(detector, DEFAULT_POOL_CONFIG, {
      eventStore: store,
      poolId,
      tuning: { unknown: { patienceMs: 300, giveUpMs: 1_000, closeMs: 500 } },
    });
    managers.push(manager);
    await manager.ready();
    rig.proxy.halfOpen();
    expect(await outcome(manager.allocate({ id: 'lost', requirements: { memory: 1 } }))).toBe('OUTCOME_UNKNOWN');
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    rig.proxy.heal();
    const next = () => outcome(manager.allocate({ id: 'next', requirements: { memory: 1 } }));
    await expect.poll(next, { timeout: 40_000, interval: 200 }).toBe('granted');
    const log = await readBack(await rig.open(), poolStream(poolId));
    expect(log.map(({ revision }) => revision)).toEqual(log.map((_, n) => n));
    const granted = log.filter(({ type }) => type === 'LeaseGranted');
    expect(granted.map(({ data }) => (data as { request: { id: string } }).request.id)).toContain('next');
  });
});
