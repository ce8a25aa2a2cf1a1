import { describe, expect, it } from 'vitest';
import { Spec } from '../spec.ts';

const strict = (policy: 'strict' | 'bestEffort', patch: object = {}) => ({
  tiers: [
    {
      name: 'main',
      priorities: ['critical', 'high', 'normal', 'low'],
      nominal: '100%',
      queue: { policy, ageingMs: 1_000, ...patch },
    },
  ],
});

describe('the queue', () => {
  it('grants in the order of priority, then of coming, as soon as there is room', () => {
    const pool = new Spec();
    const full = pool.granted('full', { cpu: 10_000 });
    pool.queued('n1', { cpu: 1 }, { priority: 'normal' });
    pool.queued('n2', { cpu: 1 }, { priority: 'normal' });
    pool.queued('h', { cpu: 1 }, { priority: 'high' });
    pool.release(full);
    expect(pool.held()).toEqual(['h', 'n1', 'n2']);
  });

  it('lets a waiter age past a higher class: low (1) passes normal (10) that comes 9 s later', () => {
    const pool = new Spec();
    const full = pool.granted('full', { cpu: 10_000 });
    pool.queued('low', { cpu: 1 }, { priority: 'low' });
    pool.now += 8_999;
    pool.queued('early', { cpu: 1 }, { priority: 'normal' });
    pool.now += 2;
    pool.queued('late', { cpu: 1 }, { priority: 'normal' });
    pool.release(full);
    expect(pool.held()).toEqual(['early', 'low', 'late']);
  });

  it('tells how long a lease waited', () => {
    const pool = new Spec();
    const full = pool.granted('full', { cpu: 10_000 });
    pool.queued('a', { cpu: 1 });
    pool.now += 1_234;
    pool.release(full);
    expect(pool.log.findLast((event) => event.type === 'LeaseGranted')).toMatchObject({
      type: 'LeaseGranted',
      data: { waitedMs: 1_234, expiresAt: pool.now + 60_000 },
    });
  });

  it('never lets a request that will not wait pass one of its class that could run and waits', () => {
    const pool = new Spec(strict('strict'));
    pool.granted('part', { cpu: 6_000 });
    pool.queued('big', { cpu: 5_000 });
    expect(pool.refused('now', { cpu: 1_000 })).toMatchObject({ code: 'EXHAUSTED', position: 1 });
  });

  it('backfills in a best-effort tier only with what cannot delay the head', () => {
    const pool = new Spec(strict('bestEffort'), { cpu: 10_000, memory: 1_000 });
    pool.granted('part', { cpu: 6_000 });
    pool.queued('big', { cpu: 5_000 });
    expect(pool.refused('takes', { cpu: 1 }).code).toBe('EXHAUSTED');
    expect(pool.granted('other', { memory: 1_000 }).token).toBe(2);
  });

  /** big lacks 1000 of cpu; wide has room, and is kept back as it would take of what big lacks. */
  function heldBack(): Spec {
    const pool = new Spec(strict('bestEffort'), { cpu: 10_000, memory: 1_000, disk: 100 });
    pool.granted('part', { cpu: 6_000 });
    pool.queued('big', { cpu: 5_000 });
    pool.queued('wide', { cpu: 1_000, memory: 1_000 });
    return pool;
  }

  it('lets nobody past a waiter that fits, though that one is kept back for another', () => {
    const pool = heldBack();
    expect(pool.refused('m', { memory: 1 })).toMatchObject({ code: 'EXHAUSTED', position: 2, shortfall: {} });
    expect(pool.refused('d', { disk: 1 }).message).toContain('2 stand before the request');
    pool.queued('behind', { disk: 1 });
    expect(pool.granted('before', { memory: 1 }, { priority: 'high' }).token).toBe(2);
    expect(pool.held()).toEqual(['part', 'before', 'behind']);
  });

  it('lets past waiters that lack something only what spares every one of them', () => {
    const pool = new Spec(strict('bestEffort'), { cpu: 10_000, memory: 1_000, disk: 100 });
    pool.granted('part', { cpu: 10_000, memory: 600 });
    pool.queued('c', { cpu: 5_000 });
    pool.queued('m', { memory: 500 });
    pool.queued('cd', { cpu: 1, disk: 60 });
    expect(pool.refused('a', { memory: 1 }).code).toBe('EXHAUSTED');
    expect(pool.refused('b', { disk: 41 }).code).toBe('EXHAUSTED');
    expect(pool.granted('less', { disk: 100 }, { minimum: { disk: 1 } }).amounts).toEqual({ disk: 40 });
  });

  it('keeps the last lease that the pool may hold for who stands before', () => {
    const pool = new Spec({ ...strict('bestEffort'), maxPoolSize: 2 }, { cpu: 10_000, memory: 1_000 });
    const part = pool.granted('part', { cpu: 6_000 });
    pool.queued('big', { cpu: 5_000 });
    expect(pool.refused('other', { memory: 1 }).code).toBe('EXHAUSTED');
    pool.release(part);
    expect(pool.held()).toEqual(['big']);
  });

  it('refuses when the queue is full, and expires and cancels waiters', () => {
    const pool = new Spec(strict('bestEffort', { maxLength: 1, maxWaitMs: 5_000 }));
    pool.granted('full', { cpu: 10_000 });
    const waiter = pool.queued('a', { cpu: 1 });
    expect(waiter.expiresAt).toBe(pool.now + 5_000);
    expect(pool.refused('b', { cpu: 1 }, { waitMs: 1 })).toMatchObject({ code: 'QUEUE_FULL', position: 1 });
    expect(pool.events('ExpireRequests', { leaseIds: [waiter.leaseId, 'gone'] })).toEqual(['RequestExpired']);
    pool.queued('b', { cpu: 1 }, { deadline: pool.now + 700 });
    expect(pool.state.waiting.values().next().value?.expiresAt).toBe(pool.now + 700);
    expect(pool.events('Cancel', { requestId: 'b' })).toEqual(['RequestCancelled']);
    expect(pool.when('Cancel', { requestId: 'b' }).answer.kind).toBe('refused');
  });

  it('grants what stood behind a head that leaves', () => {
    const pool = new Spec(strict('strict'));
    pool.granted('part', { cpu: 6_000 });
    pool.queued('big', { cpu: 5_000 });
    pool.queued('small', { cpu: 1_000 });
    expect(pool.events('Cancel', { requestId: 'big' })).toEqual(['RequestCancelled', 'LeaseGranted']);
  });

  it('cancels what nobody waits for any more, unless a caller can come back for it', () => {
    const pool = new Spec();
    pool.granted('full', { cpu: 10_000 });
    pool.queued('a', { cpu: 1 });
    pool.queued('b', { cpu: 1 }, { idempotencyKey: 'k' });
    pool.queued('c', { cpu: 1 }, { detached: true });
    const leaseIds = ['a', 'b', 'c'].map((name) => pool.state.names.get(name)!);
    const orphans = { leaseIds: [...leaseIds, 'unknown'], reason: 'writerGone' } as const;
    expect(pool.events('CancelOrphans', orphans)).toEqual(['RequestCancelled']);
    expect([...pool.state.waiting.values()].map((waiter) => waiter.request.id)).toEqual(['b', 'c']);
  });

  it('cancels what can never be granted after the capacity fell', () => {
    const pool = new Spec();
    pool.granted('full', { cpu: 10_000 });
    pool.queued('big', { cpu: 9_000 });
    pool.queued('small', { cpu: 1_000 });
    pool.when('ObserveCapacity', { hostId: 'h', source: 'declared', capacity: { cpu: 8_000 } });
    expect([...pool.state.waiting.values()].map((waiter) => waiter.request.id)).toEqual(['small']);
  });
});

describe('quotas', () => {
  const quotas = { quotas: { ann: { cpu: '3000m' }, bob: { cpu: '50%' } } };

  it('limit what an owner holds, and refuse for ever what is larger than them', () => {
    const pool = new Spec(quotas);
    const lease = pool.granted('a', { cpu: 2_000 }, { owner: 'ann' });
    const refusal = pool.refused('b', { cpu: 2_000 }, { owner: 'ann' });
    expect(refusal).toMatchObject({ code: 'QUOTA_EXCEEDED', shortfall: { cpu: 1_000 } });
    const never = pool.refused('c', { cpu: 5_001 }, { owner: 'bob' });
    expect(never).toMatchObject({ code: 'NEVER_FITS', ceiling: { cpu: 5_000 } });
    pool.release(lease);
    pool.granted('b', { cpu: 3_000 }, { owner: 'ann' });
  });

  it('keep back their owner, and nobody behind him', () => {
    const pool = new Spec({ ...quotas, ...strict('strict') });
    const lease = pool.granted('a', { cpu: 3_000 }, { owner: 'ann' });
    pool.queued('b', { cpu: 1_000 }, { owner: 'ann' });
    pool.granted('c', { cpu: 1_000 });
    pool.release(lease);
    expect(pool.held()).toEqual(['c', 'b']);
  });

  it('grant down to the minimum as capacity does', () => {
    const pool = new Spec(quotas);
    pool.granted('a', { cpu: 2_000 }, { owner: 'ann' });
    const lease = pool.granted('b', { cpu: 3_000 }, { owner: 'ann', minimum: { cpu: 500 } });
    expect(lease.amounts).toEqual({ cpu: 1_000 });
  });

  it('do not count a dimension of which nothing is asked', () => {
    const pool = new Spec({}, { cpu: 10_000, memory: 100 });
    pool.granted('a', { cpu: 5_000 }, { owner: 'ann' });
    const { config } = pool.state;
    const lowered = { ...config, quotas: { ann: { cpu: '1000m' } } };
    pool.when('Configure', { config: lowered, hash: 'x', source: 'patch', expectedRevision: null });
    pool.granted('b', { cpu: 0, memory: 1 }, { owner: 'ann' });
  });
});
