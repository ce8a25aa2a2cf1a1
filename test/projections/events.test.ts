import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RecordedAuditEvent, RecordedPoolEvent } from '../../src/model/events.ts';
import type { EventFilter } from '../../src/model/reading.ts';
import { eventPage } from '../../src/projections/event-page.ts';
import { matches } from '../../src/projections/filter.ts';
import { LeaseHistoryProjection } from '../../src/projections/lease-history.ts';
import { PoolReadings } from '../../src/projections/readings.ts';
import { pagesOf } from './histories.ts';
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
        const { items, next } = await eventPage(
          pagesOf(log.events),
          log.events.length - 1,
          filter,
          page,
          readings.ownerOf,
        );
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

describe('the history of a lease', () => {
  it('is where its events are, by its id or by the name of its request', () => {
    const { readings, revisions } = smallLog();
    const expected = { revisions: [revisions.ann, revisions.renewed, revisions.released], knownFrom: 0 };
    expect(readings.history('lease-1')).toEqual(expected);
    expect(readings.history('task-1')).toEqual(expected);
    expect(readings.history('third').revisions).toEqual([revisions.queued]);
    expect(readings.history('nobody').revisions).toEqual([]);
  });

  it('is bounded, and says from where on it is whole', () => {
    const log = new WrittenLog();
    for (let token = 1; token <= 20; token++) log.grant();
    const history = new LeaseHistoryProjection(8);
    for (const event of log.events) history.apply(event);
    expect(history.of('lease-1')).toEqual({ revisions: [], knownFrom: 15 });
    expect(history.of('lease-13')).toEqual({ revisions: [15], knownFrom: 15 });
    expect(history.of('lease-20')).toEqual({ revisions: [22], knownFrom: 15 });
    expect(history.save().leaseIds).toHaveLength(8);
  });
});
