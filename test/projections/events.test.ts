import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evolve } from '../../src/domain/evolve.ts';
import { emptyState } from '../../src/domain/state.ts';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../../src/model/events.ts';
import type { EventFilter, Page, PageOptions } from '../../src/model/reading.ts';
import { EventIndex, RefusalIndex } from '../../src/projections/event-index.ts';
import { eventPage } from '../../src/projections/event-page.ts';
import { matches } from '../../src/projections/filter.ts';
import { ownerOf } from '../../src/projections/leases.ts';
import { PoolReadings } from '../../src/projections/readings.ts';
import { historyOf, pagesOf, type Step, steps } from './histories.ts';
import { WrittenLog } from './written-log.ts';

/** Two leases of ann and bob, renewed together; ann's is released, bob's reclaimed. */
function smallLog() {
  const log = new WrittenLog();
  const revisions = {
    ann: log.grant('ann'),
    bob: log.grant('bob'),
    renewed: log.renew(1, 2),
    released: log.release(1),
    reclaimed: log.reclaim(2),
    queued: log.queue('third', 'bob'),
  };
  const readings = new PoolReadings();
  readings.fold(log.events);
  return { log, readings, revisions };
}

describe('a filter', () => {
  const { log, readings, revisions } = smallLog();
  const found = (filter: EventFilter, events: readonly RecordedPoolEvent[] = log.events): number[] =>
    events.filter((event) => matches(event, filter, readings.ownerOf)).map((event) => event.revision);
  const { ann, bob, renewed, released, reclaimed, queued } = revisions;

  it('without conditions lets everything through', () => {
    expect(found({})).toHaveLength(log.events.length);
  });

  it('bounds revisions, both inclusive', () => {
    expect(found({ from: 2, to: 4 })).toEqual([2, 3, 4]);
  });

  it('asks for types', () => {
    expect(found({ types: ['LeaseGranted', 'LeaseReclaimed'] })).toEqual([ann, bob, reclaimed]);
    expect(found({ types: [] })).toEqual([]);
  });

  it('asks for what concerns a lease, also among many renewed at once', () => {
    expect(found({ leaseId: 'lease-1' })).toEqual([ann, renewed, released]);
    expect(found({ leaseId: 'third' })).toEqual([queued]);
  });

  it('asks for what concerns an owner, also where only the lease is named', () => {
    expect(found({ owner: 'ann' })).toEqual([ann, renewed, released]);
    expect(found({ owner: 'bob' })).toEqual([bob, renewed, reclaimed, queued]);
    expect(found({ owner: 'nobody' })).toEqual([]);
  });

  it('asks for all that it names at once', () => {
    expect(found({ owner: 'bob', types: ['LeaseGranted'], leaseId: 'lease-2', from: bob, to: bob })).toEqual([bob]);
    expect(found({ owner: 'bob', leaseId: 'lease-1' })).toEqual([]);
  });

  it('finds a refusal by its owner and by its decision', () => {
    const event = {
      type: 'RequestRefused',
      revision: 3,
      data: { request: { owner: 'ann' }, refusal: { decisionId: 'd' } },
    } as unknown as RecordedAuditEvent;
    expect(matches(event, { owner: 'ann' })).toBe(true);
    expect(matches(event, { owner: 'bob' })).toBe(false);
    expect(matches(event, { leaseId: 'd' })).toBe(true);
    expect(matches(event, { leaseId: 'e' })).toBe(false);
  });
});

describe('a page of events', () => {
  it('and the pages after it hold what the filter asks for, once and in order, while the log grows', async () => {
    const filters: fc.Arbitrary<EventFilter> = fc.record(
      {
        from: fc.nat(20),
        to: fc.nat(60),
        types: fc.subarray(['LeaseGranted', 'LeaseReleased']),
        owner: fc.constantFrom('ann', 'bob'),
      },
      { requiredKeys: [] },
    );
    const paging = async (filter: EventFilter, limit: number, grows: number) => {
      const log = new WrittenLog();
      const readings = new PoolReadings();
      const grow = (): void => {
        const from = log.events.length;
        const token = log.lastToken + 1;
        log.grant(token % 2 === 0 ? 'bob' : 'ann');
        if (token % 3 === 0) log.release(token);
        readings.fold(log.events.slice(from));
      };
      readings.fold([...log.events]);
      for (let more = 0; more < 20; more++) grow();
      const seen: number[] = [];
      let page: { cursor?: string; limit: number } = { limit };
      for (;;) {
        const { items, next } = await eventPage(pagesOf(log.events), log.events.length - 1, filter, page, readings);
        expect(items.length).toBeLessThanOrEqual(limit);
        seen.push(...items.map((event) => event.revision));
        if (next === null) break;
        page = { cursor: next, limit };
        for (let more = 0; more < grows; more++) if (log.events.length < 80) grow();
      }
      const all = log.events.filter((event) => matches(event, filter, readings.ownerOf)).map((event) => event.revision);
      expect(seen).toEqual(all.slice(0, seen.length));
      expect(all.slice(seen.length).every((revision) => revision > (seen.at(-1) ?? -1))).toBe(true);
      if (grows === 0) expect(seen).toEqual(all);
    };
    await fc.assert(fc.asyncProperty(filters, fc.integer({ min: 1, max: 9 }), fc.nat(3), paging), { numRuns: 300 });
  });

  it('refuses a wrong cursor or limit by name', async () => {
    const page = eventPage(pagesOf([]), -1, {}, { cursor: '1e3', limit: 0 });
    await expect(page).rejects.toMatchObject({
      code: 'INVALID_REQUEST',
      message: expect.stringMatching(/limit: 0[\s\S]*cursor/),
    });
  });

  it('is empty and the last one past the head', async () => {
    expect(await eventPage(pagesOf(new WrittenLog().events), 2, { from: 3 }, {})).toEqual({ items: [], next: null });
  });
});

/** Pages of a log, and how many events were read of it. */
function countingSource<E>(log: readonly E[]) {
  const count = { events: 0 };
  const pages = pagesOf(log);
  async function* source(from: number, to: number): AsyncGenerator<readonly E[]> {
    for await (const page of pages(from, to)) {
      count.events += page.length;
      yield page;
    }
  }
  return { source, count };
}

const NOBODY = 'nobody';

describe('an index of blocks', () => {
  const filters = fc.record(
    {
      from: fc.nat(200),
      to: fc.nat(400),
      types: fc.subarray(['LeaseGranted', 'LeaseReleased', 'LeasesRenewed', 'RequestQueued', 'HealthChanged']),
      /** Of the log's ids one, or none of it. */
      lease: fc.nat(60),
      owner: fc.constantFrom('ann', 'bob', '__proto__', NOBODY),
    },
    { requiredKeys: [] },
  );
  const sizes = fc.record({ blockEvents: fc.integer({ min: 1, max: 9 }), maxChunks: fc.integer({ min: 1, max: 2 }) });

  it('finds all that is asked for, page by page, however it was cut, saved or made coarser, and whatever is not in it yet', async () => {
    const finds = async (
      history: readonly Step[],
      drawn: readonly (typeof filters extends fc.Arbitrary<infer F> ? F : never)[],
      size: { blockEvents: number; maxChunks: number },
      cuts: readonly [saved: number, known: number],
      limit: number,
    ) => {
      const log = historyOf(history);
      const state = emptyState();
      const owners = (leaseId: string) => ownerOf(state, leaseId);
      let index = new EventIndex(owners, size);
      const known = log.length - (cuts[1] % 9);
      for (const event of log) {
        const lease = evolve(state, event);
        if (event.revision < known) index.apply(event, lease);
        if (event.revision !== cuts[0] % log.length) continue;
        const restored = new EventIndex(owners, size);
        restored.load(JSON.parse(JSON.stringify(index.save())));
        expect(restored.save()).toEqual(index.save());
        index = restored;
      }
      const ids = log.flatMap(({ data }) => ('leaseId' in data ? [data.leaseId] : []));
      for (const { lease, ...others } of drawn) {
        const filter = lease === undefined ? others : { ...others, leaseId: ids[lease] ?? NOBODY };
        const expected = log.filter((event) => matches(event, filter, owners));
        const seen: RecordedPoolEvent[] = [];
        for (let cursor: string | undefined = ''; cursor !== undefined; ) {
          const page: PageOptions = { limit, ...(cursor !== '' && { cursor }) };
          const { items, next }: Page<RecordedPoolEvent> = await eventPage(pagesOf(log), log.length - 1, filter, page, {
            index,
            ownerOf: owners,
          });
          seen.push(...items);
          cursor = next ?? undefined;
        }
        expect(seen).toEqual(expected);
      }
    };
    const property = fc.asyncProperty(
      steps,
      fc.array(filters, { minLength: 6, maxLength: 6 }),
      sizes,
      fc.tuple(fc.nat(), fc.nat()),
      fc.integer({ min: 1, max: 50 }),
      finds,
    );
    await fc.assert(property, { numRuns: 50 });
  });

  it('of refusals finds them by their owner, decision and type, and those that were recorded meanwhile', async () => {
    const refusal = (revision: number): RecordedAuditEvent => {
      const refused = { request: { owner: `o${revision % 90}` }, refusal: { decisionId: `d${revision}` } };
      const type = revision % 7 === 0 ? 'RefusalsSummarized' : 'RequestRefused';
      return {
        type,
        revision,
        data: type === 'RequestRefused' ? refused : { counts: {} },
      } as unknown as RecordedAuditEvent;
    };
    const log = Array.from({ length: 300 }, (_, revision) => refusal(revision));
    const index = new RefusalIndex({ blockEvents: 4, maxChunks: 1 });
    for (const event of log.slice(0, 280)) index.apply(event);
    for (const filter of [
      { owner: 'o3' },
      { leaseId: 'd299' },
      { types: ['RefusalsSummarized'] },
      { owner: 'o8', leaseId: 'd8' },
    ]) {
      const { items } = await eventPage(pagesOf(log), 299, filter, { limit: 1_000 }, { index });
      expect(items).toEqual(log.filter((event) => matches(event, filter)));
    }
  });

  it('lets what is nowhere be found nowhere, without a look at the log', async () => {
    const log = new WrittenLog();
    const readings = new PoolReadings();
    for (let n = 0; n < 10_000; n++) {
      log.grant(`owner-${n % 50}`);
      log.release(log.lastToken);
    }
    readings.fold(log.events);
    const { source, count } = countingSource(log.events);
    const read = async (filter: EventFilter) => {
      count.events = 0;
      const { items } = await eventPage(source, log.events.length - 1, filter, {}, readings);
      return { found: items.length, read: count.events };
    };
    expect(await read({ types: ['HealthChanged'] })).toEqual({ found: 0, read: 0 });
    expect((await read({ leaseId: 'lease-777' })).found).toBe(2);
    expect(count.events).toBeLessThanOrEqual(2 * 512 + 20);
    for (let n = 0, all = 0; n < 50; n++) {
      all += (await read({ leaseId: `nope-${n}` })).read;
      expect(all).toBeLessThan(20_000); // a whole log is read for fifty that are not there, at most
    }
  });
});
