import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Dimensions } from '../../../src/domain/dimensions.ts';
import { evolve } from '../../../src/domain/evolve.ts';
import { EndedLeases, endedBytes, MAX_ENDED_BYTES } from '../../../src/domain/ledger/ended-leases.ts';
import { Journal } from '../../../src/domain/ledger/journal.ts';
import { LeaseRecord } from '../../../src/domain/ledger/lease-record.ts';
import { TermsCache } from '../../../src/domain/ledger/lease-terms.ts';
import { StatePacker, unpackState } from '../../../src/domain/ledger/pack.ts';
import { emptyState } from '../../../src/domain/state.ts';
import type { EventData } from '../../../src/model/events.ts';
import { commandIdSource } from '../../../src/model/ids.ts';
import { refusalOf, request, Spec } from '../spec.ts';

const numbered = new Dimensions();
const terms = new TermsCache();
const nextId = commandIdSource('0123456789abcde');

/** A lease of one of a few kinds; `n` tells whether its id is a command's, and whether it has a name and a key. */
function lease(n: number): LeaseRecord {
  const leaseId = n % 5 === 0 ? `odd-${n}` : n % 7 === 0 ? `ü${nextId().slice(1)}` : nextId();
  const amounts = { cpu: 1 + (n % 3) };
  const labels = n % 3 === 1 ? { note: 'x'.repeat(n % 50), more: '漢' } : null;
  const asked = { amounts, labels, idempotencyKey: n % 4 === 0 ? `k${n}` : null };
  const spec = request(n % 2 === 0 ? leaseId : `task-${n}`, asked);
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

  /** What is kept, counted anew. */
  get bytes(): number {
    let bytes = 0;
    for (const { lease } of this.packed.values())
      bytes += endedBytes(lease.terms.bytes, lease.name, lease.idempotencyKey);
    return bytes;
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
      expect(both.packed.bytes).toBe(both.bytes);
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
      const bytes = both.packed.bytes;
      expect(bytes).toBe(both.bytes);
      journal.goBack();
      expect(both.packed.bytes).toBe(both.bytes);
      journal.goForth();
      expect(both.packed.bytes).toBe(bytes);
      journal.undoTo(0);
      expect(both.packed.bytes).toBe(both.bytes);
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

describe('very many ended leases', () => {
  it('are never moved when more come, nor copied when a snapshot is taken; what is written to then is, and one sees nothing of the other', () => {
    const packed = new EndedLeases();
    const moves = (['slice', 'set'] as const).map((each) => vi.spyOn(Float64Array.prototype, each));
    const moved = () => moves.reduce((sum, { mock }) => sum + mock.calls.length, 0);
    const ended = Array.from({ length: 3_000 }, (_, n) => lease(n));
    for (const [n, each] of ended.entries()) packed.add(each, 1_800_000_100_000 + n, null, n);
    expect(moved()).toBe(0);
    const copied = packed.copy();
    expect(moved()).toBe(0);
    packed.add(lease(3_000), 1_800_000_103_000, null, 3_000);
    packed.forgetFirst(false);
    expect(moved()).toBe(2);
    for (let n = 1; n < 200; n++) packed.forgetFirst(false);
    expect(moved()).toBe(2);
    vi.restoreAllMocks();
    expect([copied.size, packed.size, copied.has(ended[0]!.leaseId), packed.has(ended[0]!.leaseId)]).toEqual([
      3_000,
      2_801,
      true,
      false,
    ]);
    expect(copied.nth(0).lease.toJSON()).toEqual(ended[0]!.toJSON());
  });

  it('are given in the order of their grants, in whatever order they ended', () => {
    const property = fc.property(
      fc.shuffledSubarray(Array.from({ length: 1_500 }, (_, n) => n)),
      fc.nat(1_500),
      (order, from) => {
        const packed = new EndedLeases();
        for (const n of order) packed.add(lease(n), 1_800_000_100_000, null, n);
        for (let n = 0; n < order.length / 3; n++) packed.forgetFirst(false);
        const tokens = [...packed.values()].map((each) => each.lease.token).filter((token) => token > from);
        expect([...packed.after(from)].map((each) => each.lease.token)).toEqual(tokens.sort((a, b) => a - b));
      },
    );
    fc.assert(property, { numRuns: 30 });
  });
});

/** Labels as logs of before their limit may hold, and no two leases with the same ones. */
const largestLabels = (n: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`l${i}`, `${n}`.padEnd(256, 'x')]));

describe('ended leases with labels', () => {
  it('are kept within a sum of bytes, the oldest go first and then their keys bind anew; every fold agrees', () => {
    const pool = new Spec();
    const first = pool.granted('t0', { cpu: 1 }, { labels: largestLabels(0), idempotencyKey: 'first' });
    pool.release(first);
    const each = pool.state.ended.bytes;
    const fitting = Math.floor(MAX_ENDED_BYTES / each);
    expect(fitting).toBeGreaterThan(1_500);
    for (let n = 1; n < fitting; n++) pool.release(pool.granted(`t${n}`, { cpu: 1 }, { labels: largestLabels(n) }));
    expect(pool.state.ended.get(first.leaseId)!.lease.request.labels).toEqual(largestLabels(0));
    expect(pool.ask('t0', { cpu: 1 }, { labels: largestLabels(0), idempotencyKey: 'first' }).kind).toBe('refused');

    const restored = pool.restartedAt(unpackState(new StatePacker(pool.state).packed()));
    expect(restored.state.ended.bytes).toBe(pool.state.ended.bytes);
    for (let n = 0; n < 10; n++) pool.release(pool.granted(`more${n}`, { cpu: 1 }, { labels: largestLabels(n) }));
    expect(pool.state.ended.bytes).toBeLessThanOrEqual(MAX_ENDED_BYTES);
    expect([pool.state.ended.has(first.leaseId), pool.state.ended.first]).toEqual([false, expect.any(Number)]);
    expect(pool.state.ended.first).toBeGreaterThan(0);
    expect(pool.state.keys.size).toBe(0);
    expect(refusalOf(pool.release(first)).code).toBe('NOT_FOUND');
    const { first: oldest, next, bytes } = pool.state.ended;
    const folded = emptyState();
    for (const each of pool.log) evolve(folded, each);
    expect(folded.ended).toMatchObject({ first: oldest, next, bytes });
  }, 60_000);

  it('take no place from those that have none: as many as are to be kept', () => {
    const pool = new Spec();
    for (let n = 0; n < 100; n++) pool.release(pool.granted(`task-${n}`, { cpu: 1, memory: 0 }));
    expect((pool.state.ended.bytes / 100) * 100_000).toBeLessThan(MAX_ENDED_BYTES);
  });

  it('leave nothing behind in the places that they had', () => {
    const packed = new EndedLeases();
    for (let n = 0; n < 64; n++) packed.add(lease(n), n, null, n);
    for (let n = 0; n < 60; n++) packed.forgetFirst(true);
    packed.settle();
    for (let n = 0; n < 60; n++) expect(() => packed.nth(n).lease.requestId && packed.nth(n).lease.owner).toThrow();
    expect(packed.nth(60).lease.owner).toBe('anonymous');
  });
});

describe('ten thousand ended leases', () => {
  const many = new EndedLeases();
  const leases = Array.from({ length: 10_000 }, (_, n) => lease(n));
  for (const [n, each] of leases.entries()) many.add(each, n, null, n);

  it('are found by id though the index takes in only some thousand at each look-up', () => {
    for (const n of [9_999, 5_000, 0, 7_777, 4_096]) expect(many.get(leases[n]!.leaseId)?.endedAt).toBe(n);
    expect(many.has('nobody')).toBe(false);
    for (const [n, { leaseId }] of leases.entries()) expect(many.get(leaseId)?.endedAt).toBe(n);
  });

  it('are read as they were when the reading began, whatever is forgotten, added and undone meanwhile', () => {
    const changing = new EndedLeases();
    for (const [n, each] of leases.slice(0, 700).entries()) changing.add(each, n, null, n);
    const then = changing.copy().values();
    const first = then.next().value;
    for (let n = 0; n < 600; n++) changing.forgetFirst(true);
    for (const each of leases.slice(700, 900)) changing.add(each, 1, 'expired', 1);
    changing.settle();
    for (let n = 0; n < 200; n++) changing.undo('added');
    changing.add(leases[5_000]!, 2, 'revoked', 2);
    const read = [first, ...then].map((each) => [each.lease.leaseId, each.endedAt]);
    expect(read).toEqual(leases.slice(0, 700).map(({ leaseId }, n) => [leaseId, n]));
  });
});
