import { describe, expect, it } from 'vitest';
import { isOverallocated } from '../../src/domain/placement.ts';
import { Spec } from './spec.ts';

const admission = (pool: Spec) => pool.state.tiers[0]?.mode.admission;
const endOf = (pool: Spec) => ({ tier: 'main', deadlineAt: pool.state.tiers[0]!.deadlineAt! });
const load = (pool: Spec) => pool.state.tiers[0]?.mode.load;
const observe = (pool: Spec, cpu: number) =>
  pool.events('ObserveCapacity', { hostId: 'h', source: 'declared', capacity: { cpu } });

describe('a tier', () => {
  it('that is cordoned admits nothing and keeps what it holds; uncordoned it serves those who wait', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 10_000 });
    pool.queued('b', { cpu: 10_000 });
    expect(pool.events('CordonTier', { tier: 'main' })).toEqual(['TierModeChanged']);
    expect(pool.events('CordonTier', { tier: 'main' })).toEqual([]);
    expect(pool.refused('c', { cpu: 1 })).toMatchObject({ code: 'TIER_CLOSED', tier: 'main' });
    pool.when('Renew', { leaseId: lease.leaseId, token: 1, ttlMs: null });
    pool.release(lease);
    expect(pool.held()).toEqual([]);
    pool.when('UncordonTier', { tier: 'main' });
    expect(pool.held()).toEqual(['b']);
  });

  it('that drains sends its waiters away and is drained with its last lease', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 10_000 });
    pool.queued('b', { cpu: 1 });
    expect(pool.events('DrainTier', { tier: 'main', deadlineMs: 1_000 })).toEqual([
      'TierModeChanged',
      'RequestCancelled',
    ]);
    expect(pool.state.tiers[0]).toMatchObject({ deadlineAt: pool.now + 1_000 });
    pool.release(lease);
    expect(admission(pool)).toBe('drained');
    expect(pool.state.tiers[0]?.deadlineAt).toBeNull();
  });

  it('that is empty is drained at once', () => {
    const pool = new Spec();
    pool.when('DrainTier', { tier: 'main', deadlineMs: 1_000 });
    expect(admission(pool)).toBe('drained');
  });

  it('loses what it still holds at the deadline of its drain', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 1 });
    pool.when('DrainTier', { tier: 'main', deadlineMs: 1_000 });
    const { deadlineAt } = pool.state.tiers[0]!;
    expect(pool.events('EndTierDrain', endOf(pool))).toEqual(['LeaseReclaimed', 'TierModeChanged']);
    expect(admission(pool)).toBe('drained');
    expect(pool.state.ended.get(lease.leaseId)?.reason).toBe('drained');
    expect(pool.events('EndTierDrain', { tier: 'main', deadlineAt: deadlineAt! })).toEqual([]);
  });

  it('is not ended by the deadline of an earlier drain, whatever the wall clock says', () => {
    const pool = new Spec();
    pool.granted('a', { cpu: 1 });
    pool.when('DrainTier', { tier: 'main', deadlineMs: 1_000 });
    const earlier = endOf(pool);
    pool.when('UncordonTier', { tier: 'main' });
    pool.when('DrainTier', { tier: 'main', deadlineMs: 60_000 });
    pool.now += 30_000;
    expect(pool.events('EndTierDrain', earlier)).toEqual([]);
    pool.now -= 3_600_000;
    expect(pool.events('EndTierDrain', endOf(pool))).toEqual(['LeaseReclaimed', 'TierModeChanged']);
  });

  it('that nobody knows is an answer, not a crash', () => {
    const answer = new Spec().when('CordonTier', { tier: 'gold' }).answer;
    expect(answer).toMatchObject({ kind: 'refused', refusal: { code: 'NOT_FOUND' } });
  });
});

describe('a pool that drains', () => {
  it('admits nothing until the drain is ended', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 10_000 });
    pool.queued('b', { cpu: 1 });
    expect(pool.events('DrainPool', { deadlineMs: null })).toEqual(['PoolDrainStarted', 'RequestCancelled']);
    expect(pool.refused('c', { cpu: 1 }).code).toBe('DRAINING');
    pool.release(lease);
    pool.when('EndPoolDrain', {});
    pool.granted('c', { cpu: 1 });
  });
});

describe('the load of a tier', () => {
  it('is judged at most once in the dwell time', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 8_000 });
    expect(load(pool)).toBe('pressured');
    pool.release(lease);
    expect(load(pool)).toBe('pressured');
    pool.now += 1_000;
    expect(pool.events('Sweep', {})).toEqual(['TierModeChanged']);
    expect(load(pool)).toBe('normal');
  });
});

describe('capacity that falls below what is granted', () => {
  it('overcommits at once, revokes nothing, admits nothing, and serves the waiters when it recovers', () => {
    const pool = new Spec();
    const first = pool.granted('a', { cpu: 6_000 });
    pool.granted('b', { cpu: 4_000 });
    pool.queued('c', { cpu: 1_000 });
    expect(observe(pool, 5_000)).toContain('TierModeChanged');
    expect(load(pool)).toBe('overcommitted');
    expect(isOverallocated(pool.state)).toBe(true);
    expect(pool.refused('d', { cpu: 1 }).code).toBe('EXHAUSTED');
    pool.release(first);
    expect(load(pool)).not.toBe('overcommitted');
    expect(pool.held()).toEqual(['b', 'c']);
  });

  it('ends when the capacity comes back, and the same capacity is no event', () => {
    const pool = new Spec();
    pool.granted('a', { cpu: 6_000 });
    observe(pool, 5_000);
    pool.queued('b', { cpu: 3_000 });
    expect(observe(pool, 5_000)).toEqual([]);
    expect(observe(pool, 10_000)).toContain('LeaseGranted');
    expect(load(pool)).not.toBe('overcommitted');
  });
});
