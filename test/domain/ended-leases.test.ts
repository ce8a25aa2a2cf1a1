import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Dimensions } from '../../src/domain/dimensions.ts';
import { EndedLeases } from '../../src/domain/ended-leases.ts';
import { Journal } from '../../src/domain/journal.ts';
import { LeaseRecord } from '../../src/domain/lease-record.ts';
import { TermsCache } from '../../src/domain/lease-terms.ts';
import type { EventData } from '../../src/model/events.ts';
import { commandIdSource } from '../../src/model/ids.ts';
import { request } from './spec.ts';

const numbered = new Dimensions();
const terms = new TermsCache();
const nextId = commandIdSource('0123456789abcde');

/** A lease of one of a few kinds; `n` tells whether its id is a command's, and whether it has a name and a key. */
function lease(n: number): LeaseRecord {
  const leaseId = n % 5 === 0 ? `odd-${n}` : n % 7 === 0 ? `ü${nextId().slice(1)}` : nextId();
  const amounts = { cpu: 1 + (n % 3) };
  const spec = request(n % 2 === 0 ? leaseId : `task-${n}`, { amounts, idempotencyKey: n % 4 === 0 ? `k${n}` : null });
  const settled = { priority: 'normal', type: 'cpu', tier: 'main', amounts, borrowed: n % 3 === 0 ? amounts : null };
  const times = { ttlMs: 60_000, expiresAt: 1_800_000_060_000 + n, waitedMs: null };
  const data: EventData['LeaseGranted'] = { leaseId, request: spec, ...settled, token: n + 1, ...times };
  const granted = LeaseRecord.granted(data, terms.of(data, numbered), 1_800_000_000_000 + n, n);
  if (n % 6 === 0) [granted.noticeEndsAt, granted.noticeReason] = [1_800_000_000_500, 'revoked'];
  return granted;
}

/** `true`: one ends; `false`: the oldest is forgotten. */
const steps = fc.array(fc.boolean(), { maxLength: 400, size: 'max' });

class Both {
  readonly packed = new EndedLeases();
  readonly kept: object[] = [];
  readonly everSeen: string[] = [];
  #count = 0;

  step(ends: boolean, journal?: Journal): void {
    if (ends) {
      const ended = lease(this.#count++);
      const reason = this.#count % 2 === 0 ? null : 'expired';
      journal?.note(this.packed, 'added', undefined);
      this.packed.add(ended, 1_800_000_100_000 + this.#count, reason, this.#count * 2);
      this.everSeen.push(ended.leaseId);
      this.kept.push({
        lease: ended.toJSON(),
        endedAt: 1_800_000_100_000 + this.#count,
        reason,
        revision: this.#count * 2,
      });
    } else if (this.packed.size > 0) {
      journal?.note(this.packed, 'forgotten', undefined);
      this.packed.forgetFirst(journal !== undefined);
      this.kept.shift();
    }
  }

  shown(): object[] {
    return [...this.packed.values()].map((each) => ({ ...each, lease: each.lease.toJSON() }));
  }

  /** Every id ever seen is found exactly if it is kept. */
  found(): (string | undefined)[] {
    return this.everSeen.map((id) => this.packed.get(id)?.lease.leaseId).filter((id) => id !== undefined);
  }
}

describe('ended leases', () => {
  it('are given back as they ended, in that order, and found by id until they are forgotten', () => {
    const property = fc.property(steps, (drawn) => {
      const both = new Both();
      for (const ends of drawn) both.step(ends);
      expect(both.shown()).toEqual(both.kept);
      expect(both.found()).toEqual(both.shown().map((each) => (each as { lease: { leaseId: string } }).lease.leaseId));
      expect(both.packed.size).toBe(both.kept.length);
    });
    fc.assert(property, { numRuns: 200 });
  });

  it('are as before when what happened since a mark is taken back', () => {
    const property = fc.property(steps, steps, steps, (before, undone, after) => {
      const both = new Both();
      for (const ends of before) both.step(ends);
      const [shown, kept] = [both.shown(), [...both.kept]];
      const journal = new Journal();
      for (const ends of undone) both.step(ends, journal);
      journal.undoTo(0);
      both.kept.splice(0, both.kept.length, ...kept);
      expect(both.shown()).toEqual(shown);
      both.packed.settle();
      for (const ends of after) both.step(ends);
      expect(both.shown()).toEqual(both.kept);
      expect(both.found()).toHaveLength(both.packed.size);
    });
    fc.assert(property, { numRuns: 200 });
  });
});
