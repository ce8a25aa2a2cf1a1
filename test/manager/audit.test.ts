import { describe, expect, test } from 'vitest';
import { MemoryEventStore } from '../../src/eventstore/memory/store.ts';
import { cutRequest } from '../../src/manager/feeds/refused-request.ts';
import { PoolError } from '../../src/model/errors.ts';
import type { AppendResult } from '../../src/model/event-store.ts';
import type { NewEvent, RecordedAuditEvent } from '../../src/model/events.ts';
import { FaultyStore, fakeClock, type Step } from '../../src/testing/index.ts';
import { bareRequest } from '../support/bare-request.ts';
import { history, rejection, typesOf, world } from './fixture.ts';

const AUDIT = 'pool-default-audit';
const refusals = async (store: MemoryEventStore) =>
  (await history(store, AUDIT)) as unknown as readonly RecordedAuditEvent[];

test('a refusal is recorded at most a second later, with its request, code, decision and the breaker in force', async () => {
  const store = new MemoryEventStore();
  const { manager, clock } = world({ store });
  const tried = await manager.tryAllocate({ id: 'big', requirements: { memory: 200 } });
  expect(await refusals(store)).toEqual([]);
  await clock.advanceAsync(1_000);
  const [event] = await refusals(store);
  const decisionId = 'refused' in tried ? tried.refused.decisionId : '';
  expect(event).toMatchObject({
    type: 'RequestRefused',
    revision: 0,
    data: {
      request: { id: 'big' },
      refusal: { code: 'NEVER_FITS', decisionId },
      breaker: 'closed',
      writerId: 'writer-1',
    },
    metadata: { correlationId: decisionId },
  });
  await manager.dispose();
});

test('refusals leave the stream of the pool alone', async () => {
  const store = new MemoryEventStore();
  const { manager } = world({ store });
  await manager.ready();
  const before = typesOf(await history(store));
  for (let i = 0; i < 10; i++) await manager.tryAllocate({ requirements: { memory: 200 } });
  await manager.dispose();
  expect(typesOf(await history(store))).toEqual(before);
  expect((await refusals(store)).length).toBe(10);
});

test('above the set rate refusals are counted in summaries, and none is left out', async () => {
  const store = new MemoryEventStore();
  const { manager, clock } = world({ store, tuning: { refusalsPerSecond: 20 } });
  for (let i = 0; i < 500; i++) await manager.tryAllocate({ requirements: { memory: 200 } });
  await clock.advanceAsync(1_000);
  const events = await refusals(store);
  const summed = events.flatMap((event) =>
    event.type === 'RefusalsSummarized' ? Object.values(event.data.counts) : [],
  );
  expect(events.filter((event) => event.type === 'RequestRefused').length).toBe(20);
  expect(summed.reduce((sum, count) => sum + count, 0)).toBe(480);
  expect(await manager.getMetrics()).toMatchObject({ refusedTotal: 500, refused: { NEVER_FITS: 500 } });
  await manager.dispose();
});

test('two writers of one audit stream lose nothing to each other', async () => {
  const store = new MemoryEventStore();
  const one = world({ store });
  const other = world({ store, options: { writerId: 'writer-2' } });
  for (let round = 0; round < 5; round++) {
    await Promise.all([one, other].map(({ manager }) => manager.tryAllocate({ requirements: { memory: 200 } })));
    await Promise.all([one.clock.advanceAsync(300), other.clock.advanceAsync(300)]);
  }
  expect(await one.manager.getMetrics()).toMatchObject({ refusedTotal: 10 });
  expect(await other.manager.getMetrics()).toMatchObject({ refusedTotal: 10 });
  await Promise.all([one.manager.dispose(), other.manager.dispose()]);
  const events = await refusals(store);
  expect(events.length).toBe(10);
  expect(new Set(events.map((event) => event.id)).size).toBe(10);
});

test('what an audit append may or may not have written stands there once', async () => {
  class Forgetful extends MemoryEventStore {
    lost = 3;
    override append(stream: string, events: readonly NewEvent[], expected: number): AppendResult {
      const result = super.append(stream, events, expected);
      if (stream !== AUDIT || this.lost-- <= 0) return result;
      return { outcome: 'unknown', cause: new Error('reset') };
    }
  }
  const store = new Forgetful();
  const { manager, clock } = world({ store });
  await manager.tryAllocate({ requirements: { memory: 200 } });
  await manager.tryAllocate({ requirements: { memory: 300 } });
  await clock.advanceAsync(5_000);
  expect((await refusals(store)).length).toBe(2);
  await manager.tryAllocate({ requirements: { memory: 400 } });
  await clock.advanceAsync(1_000);
  expect((await refusals(store)).length).toBe(3);
  await manager.dispose();
});

test('what stands there is not written again because it cannot be read for a while', async () => {
  const inner = new MemoryEventStore();
  class Denying extends FaultyStore {
    tries = 0;
    override append(stream: string, events: readonly NewEvent[], expected: number) {
      if (stream !== AUDIT) return super.append(stream, events, expected);
      this.tries += 1;
      if (this.tries === 1) this.next('timeoutApplied');
      this.setRates({ readFails: this.tries < 4 ? 1 : 0 });
      if (this.tries > 1 && this.tries < 5 && expected === -1) return { outcome: 'conflict', revision: 0 } as const; // a server that has forgotten the first try
      return super.append(stream, events, expected);
    }
  }
  const clock = fakeClock();
  const store = new Denying(inner, { clock, random: () => 0.5, timeoutMs: 0, suffers: (stream) => stream === AUDIT });
  const { manager } = world({ store, clock });
  await manager.ready();
  await manager.tryAllocate({ requirements: { memory: 200 } });
  await clock.advanceAsync(5_000);
  expect(store.tries).toBeGreaterThan(2);
  expect((await refusals(inner)).length).toBe(1);
  await manager.dispose();
});

test('failing audit appends never hurt a grant', async () => {
  class Deaf extends MemoryEventStore {
    override append(stream: string, events: readonly NewEvent[], expected: number): AppendResult {
      if (stream === AUDIT) return { outcome: 'unknown', cause: new Error('away') };
      return super.append(stream, events, expected);
    }
  }
  const { manager, clock } = world({ store: new Deaf() });
  await manager.tryAllocate({ requirements: { memory: 200 } });
  await clock.advanceAsync(10_000);
  expect((await manager.allocate({ requirements: { memory: 1 } })).token).toBe(1);
  expect(manager.status().ready).toBe(true);
  const disposed = manager.dispose();
  await clock.advanceAsync(10_000);
  await disposed;
});

test('the page of refusals holds what was refused until now', async () => {
  const { manager } = world();
  await manager.tryAllocate({ id: 'a', requirements: { memory: 200 } });
  const { items } = await manager.pageRefusals({}, {});
  expect(items).toMatchObject([{ data: { request: { id: 'a' } } }]);
  await manager.dispose();
});

describe('the page of refusals, while refusals cannot be recorded,', () => {
  /** One is recorded; then one waits, and `step` is what becomes of each try to record it. */
  async function unrecorded(step: Step) {
    const clock = fakeClock();
    const suffers = (stream: string) => stream === AUDIT;
    const store = new FaultyStore(new MemoryEventStore(), { clock, random: () => 0.5, suffers });
    const { manager } = world({ store, clock });
    await manager.tryAllocate({ id: 'recorded', requirements: { memory: 200 } });
    await manager.pageRefusals({}, {});
    store.next(...Array.from({ length: 20 }, () => step));
    await manager.tryAllocate({ id: 'waits', requirements: { memory: 200 } });
    return { clock, store, manager };
  }
  const ids = ({ items }: { readonly items: readonly RecordedAuditEvent[] }) =>
    items.map((event) => (event.type === 'RequestRefused' ? event.data.request.id : event.type));

  test('answers with what is recorded as soon as a try has failed, also later, and with all once it is healed', async () => {
    const { clock, manager } = await unrecorded('failedRetryable');
    for (let reads = 0; reads < 3; reads++) expect(ids(await manager.pageRefusals({}, {}))).toEqual(['recorded']);
    await clock.advanceAsync(500);
    expect(ids(await manager.pageRefusals({}, {}))).toEqual(['recorded']);
    await clock.advanceAsync(60_000);
    expect(ids(await manager.pageRefusals({}, {}))).toEqual(['recorded', 'waits']);
    await manager.dispose();
  });

  test('waits a second for a try that is not answered, and no longer than it is wanted', async () => {
    const { clock, store, manager } = await unrecorded('held');
    let answered = false;
    const page = manager.pageRefusals({}, {}).finally(() => {
      answered = true;
    });
    const gone = new AbortController();
    const unwanted = rejection(manager.pageRefusals({}, { signal: gone.signal }));
    await clock.advanceAsync(999);
    expect(answered).toBe(false);
    gone.abort(new PoolError('CANCELLED', 'the client disconnected'));
    expect(await unwanted).toMatchObject({ code: 'CANCELLED' });
    await clock.advanceAsync(1);
    expect(ids(await page)).toEqual(['recorded']);
    store.go();
    await manager.dispose();
  });
});

test('counters of refusals are found again after a restart', async () => {
  const store = new MemoryEventStore();
  const first = world({ store });
  await first.manager.tryAllocate({ requirements: { memory: 200 } });
  await first.manager.dispose();
  const { manager, clock } = world({ store });
  await manager.ready();
  await clock.advanceAsync(0);
  expect((await manager.getMetrics()).refusedTotal).toBe(1);
  await manager.dispose();
});

test('a refused request is recorded cut to 4 KiB, and the event says what was left out', async () => {
  const store = new MemoryEventStore();
  const { manager, clock } = world({ store });
  const few = { memory: 200 };
  const labels = Object.fromEntries(Array.from({ length: 64 }, (_, n) => [`l${n}`, `${'漢'.repeat(19)}\u0001`]));
  for (const request of [
    { id: 'plain', requirements: few, labels: { a: 'b' } },
    { id: 'labelled', requirements: few, labels },
    { id: 'wide', requirements: { ...few }, minimum: { memory: 150 }, labels, owner: 'o'.repeat(128) },
  ])
    expect(await manager.tryAllocate(request)).toHaveProperty('refused');
  await clock.advanceAsync(1_000);
  const events = (await refusals(store)).filter((event) => event.type === 'RequestRefused');
  expect(events.map(({ data }) => [data.request.id, data.leftOut])).toEqual([
    ['plain', undefined],
    ['labelled', ['labels']],
    ['wide', ['labels']],
  ]);
  for (const { data } of events) expect(Buffer.byteLength(JSON.stringify(data.request))).toBeLessThanOrEqual(4_096);
  expect(Object.keys(events[1]!.data.request.labels!).length).toBeGreaterThan(30);
  await manager.dispose();
});

test('a refused request of very many dimensions loses how they were written, and its minimum, and keeps its amounts', () => {
  const amounts = Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`d${n}`.padEnd(63, 'x'), 2 ** 53 - 1]));
  const requirements = Object.fromEntries(Object.keys(amounts).map((name) => [name, '9'.repeat(64)]));
  const request = bareRequest({ requirements, amounts, minimum: amounts, labels: { a: 'b' } });
  const cut = cutRequest(request);
  expect(cut.leftOut).toEqual(['labels', 'requirements', 'minimum']);
  expect(cut.request).toEqual({ ...request, labels: null, requirements: {}, minimum: null });
  expect(JSON.stringify(cut.request).length).toBeLessThanOrEqual(4_096);
});
