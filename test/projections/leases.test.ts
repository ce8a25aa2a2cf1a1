import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPoolError } from '../../src/model/errors.ts';
import type { LeaseFilter, Page } from '../../src/model/reading.ts';
import type { LeaseView } from '../../src/model/views.ts';
import { PoolReadings } from '../../src/projections/readings.ts';
import { historyOf, steps } from './histories.ts';
import { WrittenLog } from './written-log.ts';

function readingsOf(log: WrittenLog): PoolReadings {
  const readings = new PoolReadings();
  readings.fold(log.events);
  return readings;
}

const tokensOf = ({ items }: Page<LeaseView>): number[] => items.map((lease) => lease.token);

function errorOf(run: () => unknown): { code: string; message: string } {
  try {
    run();
  } catch (error) {
    if (isPoolError(error)) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('leases', () => {
  it('are read while they live and after they ended, with why', () => {
    const log = new WrittenLog();
    for (let more = 0; more < 3; more++) log.grant();
    log.later(500).release(1);
    const ended = log.reclaim(2, 'revoked');
    const readings = readingsOf(log);
    expect(readings.lease('lease-3')).toMatchObject({ state: 'active', token: 3, endedAt: null, reason: null });
    expect(readings.lease('lease-1')).toMatchObject({ state: 'released', reason: null });
    expect(readings.lease('lease-2')).toMatchObject({ state: 'reclaimed', reason: 'revoked', revision: ended });
  });

  it('that are not known are NOT_FOUND, by name', () => {
    const error = errorOf(() => readingsOf(new WrittenLog()).lease('nobody'));
    expect(error).toMatchObject({ code: 'NOT_FOUND', message: expect.stringContaining('nobody') });
  });

  it('are listed by state, owner, tier and priority', () => {
    const log = new WrittenLog();
    for (const owner of ['ann', 'bob', 'ann', 'bob']) log.grant(owner);
    log.release(1);
    log.reclaim(4);
    const readings = readingsOf(log);
    const listed = (filter: LeaseFilter) => tokensOf(readings.listLeases(filter));
    expect(listed({})).toEqual([1, 2, 3, 4]);
    expect(listed({ state: 'active' })).toEqual([2, 3]);
    expect(listed({ state: 'released' })).toEqual([1]);
    expect(listed({ state: 'reclaimed' })).toEqual([4]);
    expect(listed({ owner: 'ann' })).toEqual([1, 3]);
    expect(listed({ owner: 'ann', state: 'active' })).toEqual([3]);
    expect(listed({ tier: 'other' })).toEqual([]);
    expect(listed({ priority: 'normal' })).toEqual([1, 2, 3, 4]);
  });

  it('come in pages that neither skip nor repeat what stays, whatever is granted and ended between them', () => {
    const changes = fc.array(fc.record({ ends: fc.array(fc.nat(60)), grants: fc.nat(5) }), { maxLength: 30 });
    const state = fc.constantFrom(undefined, 'active' as const);
    const paging = (limit: number, between: { ends: number[]; grants: number }[], only: 'active' | undefined) => {
      const log = new WrittenLog();
      const live = new Set<number>();
      const grant = (): void => {
        log.grant();
        live.add(log.lastToken);
      };
      for (let more = 0; more < 40; more++) grant();
      const readings = new PoolReadings();
      let folded = 0;
      const catchUp = (): void => {
        readings.fold(log.events.slice(folded));
        folded = log.events.length;
      };
      catchUp();
      const ended = new Set<number>();
      const seen: number[] = [];
      let cursor: string | undefined;
      for (let turn = 0; ; turn++) {
        const filter: LeaseFilter = {
          limit,
          ...(cursor === undefined ? {} : { cursor }),
          ...(only === undefined ? {} : { state: only }),
        };
        const page = readings.listLeases(filter);
        seen.push(...tokensOf(page));
        if (page.next === null) break;
        cursor = page.next;
        for (const token of (between[turn]?.ends ?? []).filter((each) => live.delete(each))) {
          log.release(token);
          ended.add(token);
        }
        for (let more = 0; more < (between[turn]?.grants ?? 0); more++) grant();
        catchUp();
      }
      expect(seen).toEqual([...new Set(seen)].sort((a, b) => a - b));
      const expected = only === 'active' ? [...live] : [...live, ...ended];
      expect(expected.filter((token) => !seen.includes(token))).toEqual([]);
    };
    fc.assert(fc.property(fc.integer({ min: 1, max: 10 }), changes, state, paging), { numRuns: 200 });
  });

  it('are looked at so many for a page: one that a filter leaves empty goes on where it ended', () => {
    const log = new WrittenLog(20);
    for (let token = 1; token <= 12_000; token++) {
      log.grant(token === 11_999 ? 'ann' : 'bob');
      if (token % 2 === 1) log.release(token);
    }
    const readings = readingsOf(log);
    const places = (filter: LeaseFilter): [number[], string | null][] => {
      const pages: [number[], string | null][] = [];
      for (let cursor: string | null | undefined; cursor !== null; ) {
        const page = readings.listLeases({ ...filter, ...(cursor !== undefined && { cursor }) });
        pages.push([tokensOf(page), page.next]);
        cursor = page.next;
      }
      return pages;
    };
    const [empty, ann] = [[], [11_999]];
    expect(places({ owner: 'ann' })).toEqual([
      [empty, '5000'],
      [empty, '10000'],
      [ann, null],
    ]);
    expect(places({ owner: 'ann', state: 'released' })).toEqual([
      [empty, '9999'],
      [ann, null],
    ]);
    expect(places({ owner: 'ann', state: 'active' })).toEqual([
      [empty, '10000'],
      [empty, null],
    ]);
  });

  it('are listed as they are kept, in the order of their tokens', () => {
    const sameLeases = (history: Parameters<typeof historyOf>[0]) => {
      const readings = new PoolReadings();
      readings.fold(historyOf(history));
      const { leases, ended } = readings.state;
      const kept = [...leases.values(), ...[...ended.values()].map(({ lease }) => lease)]
        .map(({ leaseId }) => readings.lease(leaseId))
        .sort((a, b) => a.token - b.token);
      expect(readings.listLeases({ limit: 1_000 })).toEqual({ items: kept, next: null });
      expect(tokensOf(readings.listLeases({ limit: 1_000, state: 'active' }))).toHaveLength(leases.size);
    };
    fc.assert(fc.property(steps, sameLeases), { numRuns: 100 });
  });

  it('refuse a wrong cursor, limit or state by name, all that a page can judge at once', () => {
    const readings = readingsOf(new WrittenLog());
    const both = errorOf(() => readings.listLeases({ cursor: 'x', limit: 1_001 }));
    expect(both.code).toBe('INVALID_REQUEST');
    expect(both.message).toMatch(/limit: 1001 .*1 to 1000[\s\S]*cursor: "x"/);
    for (const limit of [0, -1, 1.5, Number.NaN])
      expect(errorOf(() => readings.listLeases({ limit })).code).toBe('INVALID_REQUEST');
    const state = errorOf(() => readings.listLeases({ state: 'dead' as 'active' }));
    expect(state.message).toMatch(/state: "dead".*active, released, reclaimed/);
  });

  it('that live are found among many that have ended', () => {
    const log = new WrittenLog();
    for (let token = 1; token <= 5_000; token++) {
      log.grant();
      if (token % 100 !== 0) log.release(token);
    }
    const readings = readingsOf(log);
    expect(tokensOf(readings.listLeases({ state: 'active' }))).toEqual(
      Array.from({ length: 50 }, (_, n) => 100 * (n + 1)),
    );
  });
});

describe('requests and tiers', () => {
  it('are found by the caller’s name and by the lease’s id, and NOT_FOUND once they do not wait', () => {
    const log = new WrittenLog();
    log.queue('first');
    log.later(10).queue('second');
    log.add('RequestExpired', { leaseId: 'first', requestId: 'waits-first' });
    const readings = readingsOf(log);
    expect(readings.request('waits-second')).toMatchObject({ leaseId: 'second', position: 0, state: 'waiting' });
    expect(readings.request('second')).toEqual(readings.request('waits-second'));
    expect(errorOf(() => readings.request('waits-first'))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('tell when a waiter would start if every lease ran to its end', () => {
    const log = new WrittenLog();
    for (let token = 1; token <= 1_000; token++) log.grant();
    log.later(10_000).queue('first');
    log.queue('second');
    const [first, second] = readingsOf(log).listRequests().items;
    expect(first).toMatchObject({
      position: 0,
      shortfall: { cpu: 1_000, memory: 1_048_576 },
      estimatedStartMs: 50_000,
    });
    expect(second).toMatchObject({ position: 1, estimatedStartMs: 50_000 });
  });

  it('come in pages that neither skip nor repeat what waits all the while, whoever comes and goes between them', () => {
    const changes = fc.array(fc.record({ ends: fc.array(fc.nat(60)), comes: fc.nat(5) }), { maxLength: 30 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 }), changes, (limit, between) => {
        const log = new WrittenLog();
        let last = 0;
        const comes = () => {
          last += 1;
          return log.later(last % 2).queue(`w${String(1_000 + (last % 5) * 100 + last)}`);
        };
        for (let more = 0; more < 40; more++) comes();
        const readings = readingsOf(log);
        const first = readings.listRequests({ limit: 1_000 }).items.map(({ leaseId }) => leaseId);
        const stays = new Set(first);
        const seen: string[] = [];
        let folded = log.events.length;
        let cursor: string | null | undefined;
        for (let turn = 0; cursor !== null; turn++) {
          const page = readings.listRequests({ limit, ...(cursor !== undefined && { cursor }) });
          seen.push(...page.items.map(({ leaseId }) => leaseId));
          cursor = page.next;
          for (const place of between[turn]?.ends ?? []) {
            const leaseId = first[place];
            if (leaseId === undefined || !stays.delete(leaseId)) continue;
            log.add('RequestExpired', { leaseId, requestId: `waits-${leaseId}` });
          }
          for (let more = 0; more < (between[turn]?.comes ?? 0); more++) comes();
          readings.fold(log.events.slice(folded));
          folded = log.events.length;
        }
        expect(seen).toEqual([...new Set(seen)]);
        expect([...stays].filter((leaseId) => !seen.includes(leaseId))).toEqual([]);
        expect(seen.filter((leaseId) => stays.has(leaseId))).toEqual(first.filter((leaseId) => stays.has(leaseId)));
      }),
      { numRuns: 50 },
    );
  });

  it('refuse a cursor that is none, or of a tier that is there no more', () => {
    const readings = readingsOf(new WrittenLog());
    for (const cursor of ['x', '5', 'main~x~normal~w1', 'gold~5~normal~w1', 'main~5~normal~w1~more'])
      expect(errorOf(() => readings.listRequests({ cursor }))).toMatchObject({ code: 'INVALID_REQUEST' });
    expect(readings.listRequests({ cursor: 'main~5~normal~w1' })).toEqual({ items: [], next: null });
  });

  it('name the tiers there are when there is none of that name', () => {
    const readings = readingsOf(new WrittenLog());
    expect(readings.tier('main')).toMatchObject({ name: 'main', admission: 'open' });
    expect(errorOf(() => readings.tier('gold'))).toMatchObject({
      code: 'NOT_FOUND',
      message: 'tier: there is no tier gold; tiers: main',
    });
  });
});
