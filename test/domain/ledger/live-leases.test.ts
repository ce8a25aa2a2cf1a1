import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dimensions } from '../../../src/domain/dimensions.ts';
import { Journal } from '../../../src/domain/ledger/journal.ts';
import { LeaseRecord } from '../../../src/domain/ledger/lease-record.ts';
import { type LeaseTerms, TermsCache } from '../../../src/domain/ledger/lease-terms.ts';
import { LiveLeases } from '../../../src/domain/ledger/live-leases.ts';
import { request } from '../spec.ts';

const settled = { priority: 'normal', type: 'cpu', tier: 'main', amounts: { cpu: 1 }, borrowed: null };
const data = {
  leaseId: 'a',
  request: request('a', settled),
  ...settled,
  token: 1,
  ttlMs: 1,
  expiresAt: 1,
  waitedMs: null,
};
const terms: LeaseTerms = new TermsCache().of(data, new Dimensions());
const lease = (token: number): LeaseRecord => new LeaseRecord(`id-${token}`, terms, null, null, token, 0, 1, 1, 0);

/** Grants that come one after another, some of which live long; a look-up by id now and then. */
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('add' as const), pick: fc.nat() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('drop' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('look' as const), pick: fc.nat() }) },
);
const steps = fc.array(step, { maxLength: 400, size: 'max' });
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

class Both {
  readonly leases = new LiveLeases();
  naive = new Map<number, LeaseRecord>();
  token = 0;

  run({ do: what, pick }: Step, journal?: Journal): void {
    if (what === 'add') {
      this.token += 1;
      const added = lease(this.token);
      journal?.note(this.leases, 'added', added);
      this.leases.add(added);
      this.naive.set(this.token, added);
    } else if (what === 'look') this.leases.get(`id-${pick}`);
    else if (this.naive.size > 0) {
      // The youngest are ended mostly, so that some live through many rounds of the places; now and then the oldest.
      const place = pick % 4 === 0 ? 0 : -1 - (pick % Math.min(5, this.naive.size));
      const dropped = [...this.naive.values()].at(place)!;
      journal?.note(this.leases, 'dropped', dropped);
      this.leases.drop(dropped);
      this.naive.delete(dropped.token);
    }
  }

  check(): void {
    const { leases, naive } = this;
    expect(leases.size).toBe(naive.size);
    expect([...leases.values()].sort((a, b) => a.token - b.token)).toEqual([...naive.values()]);
    for (let token = 1; token <= this.token; token++) {
      expect(leases.withToken(token)).toBe(naive.get(token));
      expect(leases.get(`id-${token}`)).toBe(naive.get(token));
    }
  }
}

describe('live leases', () => {
  it('are found by token and by id, exactly while they live', () => {
    const property = fc.property(steps, (drawn) => {
      const both = new Both();
      for (const each of drawn) both.run(each);
      both.check();
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('are as before when what happened since a mark is taken back, and go on from there', () => {
    const property = fc.property(steps, steps, steps, (before, undone, after) => {
      const both = new Both();
      for (const each of before) both.run(each);
      const [kept, token] = [new Map(both.naive), both.token];
      const journal = new Journal();
      for (const each of undone) both.run(each, journal);
      journal.undoTo(0);
      both.naive = kept;
      both.check();
      both.token = token;
      for (const each of after) both.run(each);
      both.naive = new Map([...both.naive].sort(([a], [b]) => a - b));
      both.check();
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('of one id cannot be two: their log is impossible', () => {
    const leases = new LiveLeases();
    leases.add(lease(1));
    leases.add(new LeaseRecord('id-1', terms, null, null, 2, 0, 1, 1, 0));
    expect(() => leases.get('id-1')).toThrow('two live leases have the id id-1');
  });
});

describe('the first of many live leases', () => {
  it('is found without a look at each one that has ended before it', () => {
    const leases = new LiveLeases();
    let looks = 0;
    const all = Array.from({ length: 10_000 }, (_, n) =>
      Object.defineProperty(lease(n + 1), 'token', {
        get: () => {
          looks += 1;
          return n + 1;
        },
      }),
    );
    for (const each of all) leases.add(each);
    for (const each of all.slice(0, 5_000)) leases.drop(each);
    looks = 0;
    expect(leases.values().next().value).toBe(all[5_000]);
    expect(looks).toBeLessThan(50);
  });
});
