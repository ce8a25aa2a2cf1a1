import { describe, expect, it } from 'vitest';
import { StatePacker, unpackState } from '../../../src/domain/ledger/pack.ts';
import { canonicalState } from '../../../src/domain/snapshot.ts';
import { requestViews, tierView } from '../../../src/domain/views.ts';
import { config, Spec } from '../spec.ts';

const ALL = ['critical', 'high', 'normal', 'low'];
const one = (patch: object = {}) => ({ tiers: [{ name: 'main', priorities: ALL, nominal: '100%', ...patch }] });
const two = (a: object = {}, b: object = {}) => ({
  tiers: [
    { name: 'a', priorities: ['high'], nominal: { cpu: '6000m' }, ...a },
    { name: 'b', priorities: ['low'], nominal: { cpu: '4000m' }, ...b },
  ],
});
const IN_A = { tier: 'a' };
const IN_B = { tier: 'b' };

/** A full pool of one tier, in which w waits for 4000. */
function full(patch: object = {}): Spec {
  const pool = new Spec({ ...one(), ...patch });
  pool.granted('full', { cpu: 10_000 });
  pool.queued('w', { cpu: 4_000 });
  return pool;
}

/** head waits for more than there is left; w, behind it, for as much as would be left. */
function behind(patch: object = {}): Spec {
  const pool = new Spec({ ...one(), ...patch });
  pool.granted('part', { cpu: 6_000 });
  pool.queued('head', { cpu: 5_000 });
  pool.queued('w', { cpu: 4_000 });
  return pool;
}

/** w waits for its owner's quota. */
function outOfQuota(): Spec {
  const pool = new Spec({ ...one(), quotas: { ann: { cpu: '4000m' } } });
  pool.granted('part', { cpu: 3_000 }, { owner: 'ann' });
  pool.queued('w', { cpu: 4_000 }, { owner: 'ann' });
  return pool;
}

/** w would have to borrow what lender waits for inside its nominal. */
function behindLender(): Spec {
  const pool = new Spec(two());
  pool.granted('x', { cpu: 5_000 }, IN_B);
  pool.granted('y', { cpu: 1_000 }, IN_A);
  pool.queued('lender', { cpu: 5_000 }, IN_A);
  pool.queued('w', { cpu: 4_000 }, IN_B);
  return pool;
}

const configure = (pool: Spec, patch: object) =>
  pool.when('Configure', { config: config(patch), hash: 'next', source: 'start', expectedRevision: null });
const observe = (pool: Spec, cpu: number) =>
  pool.when('ObserveCapacity', { hostId: 'h', source: 'declared', capacity: { cpu } });
const idOf = (pool: Spec, name: string) => pool.lease(name).leaseId;
const waiterId = (pool: Spec, name: string) =>
  [...pool.state.waiting.values()].find(({ request }) => request.id === name)!.leaseId;

/** What sets w waiting, and what lets it in. */
const PATHS: readonly [string, () => Spec, (pool: Spec) => void][] = [
  ['a release', full, (pool) => pool.release(pool.lease('full'))],
  ['an expiry', full, (pool) => pool.when('ReclaimExpired', { leases: [pool.lease('full')] })],
  [
    'a revocation without grace',
    full,
    (pool) => pool.when('Revoke', { leaseId: idOf(pool, 'full'), reason: null, graceMs: 0 }),
  ],
  [
    'the end of a notice',
    () => {
      const pool = full();
      pool.when('Revoke', { leaseId: idOf(pool, 'full'), reason: null, graceMs: 5_000 });
      return pool;
    },
    (pool) => pool.when('EndNoticed', { leaseIds: [idOf(pool, 'full')] }),
  ],
  [
    'the end of a quarantine',
    () => {
      const pool = full({ leases: { quarantineMs: 5_000 } });
      pool.when('ReclaimExpired', { leases: [pool.lease('full')] });
      return pool;
    },
    (pool) => pool.when('EndQuarantine', { leaseIds: [...pool.state.quarantine.keys()] }),
  ],
  ['capacity that grows', full, (pool) => observe(pool, 14_000)],
  [
    'a configuration that reserves less',
    () => {
      const pool = new Spec({ ...one(), reserve: '40%' });
      pool.granted('full', { cpu: 6_000 });
      pool.queued('w', { cpu: 4_000 });
      return pool;
    },
    (pool) => configure(pool, { ...one(), reserve: '0%' }),
  ],
  ['a larger quota', outOfQuota, (pool) => configure(pool, { ...one(), quotas: { ann: { cpu: '7000m' } } })],
  ['a quota that its owner frees', outOfQuota, (pool) => pool.release(pool.lease('part'))],
  [
    'more leases that the pool may hold',
    () => {
      const pool = new Spec({ ...one(), maxPoolSize: 1 });
      pool.granted('part', { cpu: 1 });
      pool.queued('w', { cpu: 4_000 });
      return pool;
    },
    (pool) => configure(pool, { ...one(), maxPoolSize: 2 }),
  ],
  [
    'more that the tier may borrow',
    () => {
      const pool = new Spec(two({}, { borrowingLimit: { cpu: '4000m' } }));
      pool.granted('part', { cpu: 5_000 }, IN_B);
      pool.queued('w', { cpu: 4_000 }, IN_B);
      return pool;
    },
    (pool) => configure(pool, two({}, { borrowingLimit: { cpu: '5000m' } })),
  ],
  [
    'a tier that opens again',
    () => {
      const pool = full();
      pool.when('CordonTier', { tier: 'main' });
      pool.release(pool.lease('full'));
      return pool;
    },
    (pool) => pool.when('UncordonTier', { tier: 'main' }),
  ],
  [
    'the end of overcommitment',
    () => {
      const pool = new Spec(one());
      pool.granted('x', { cpu: 6_000 });
      pool.granted('y', { cpu: 2_000 });
      observe(pool, 7_000);
      pool.queued('w', { cpu: 4_000 });
      return pool;
    },
    (pool) => pool.release(pool.lease('x')),
  ],
  ['a head that is cancelled', behind, (pool) => pool.when('Cancel', { requestId: 'head' })],
  ['a head whose time is up', behind, (pool) => pool.when('ExpireRequests', { leaseIds: [waiterId(pool, 'head')] })],
  [
    'a head that can never fit any more',
    () => {
      const pool = new Spec(one());
      pool.granted('part', { cpu: 5_000 });
      pool.queued('head', { cpu: 9_500 });
      pool.queued('w', { cpu: 4_000 });
      return pool;
    },
    (pool) => observe(pool, 9_000),
  ],
  [
    'a head whose quota is used up by another of its owner',
    () => {
      const pool = new Spec({ ...one(), quotas: { ann: { cpu: '5500m' } } }, { cpu: 10_000, memory: 10 });
      pool.granted('part', { cpu: 6_000 });
      pool.queued('head', { cpu: 5_000 }, { owner: 'ann' });
      pool.queued('w', { cpu: 3_000 });
      return pool;
    },
    (pool) => pool.granted('first', { cpu: 1_000 }, { owner: 'ann', priority: 'critical' }),
  ],
  [
    'a head that nobody waits for any more',
    () => {
      const pool = new Spec(one());
      pool.granted('part', { cpu: 6_000 });
      pool.queued('head', { cpu: 5_000 });
      pool.queued('w', { cpu: 4_000 }, { detached: true });
      return pool;
    },
    (pool) => pool.when('CancelOrphans', { leaseIds: [waiterId(pool, 'head')], reason: 'callerGone' }),
  ],
  ['a lender who no longer waits', behindLender, (pool) => pool.when('Cancel', { requestId: 'lender' })],
  [
    'the drain of a tier that sends its waiters away',
    behindLender,
    (pool) => pool.when('DrainTier', { tier: 'a', deadlineMs: 1_000 }),
  ],
  [
    'the deadline of the drain of another tier',
    () => {
      const pool = new Spec(two());
      pool.granted('x', { cpu: 4_000 }, IN_B);
      pool.granted('y', { cpu: 6_000 }, IN_A);
      pool.queued('w', { cpu: 4_000 }, IN_B);
      pool.when('DrainTier', { tier: 'a', deadlineMs: 1_000 });
      return pool;
    },
    (pool) => pool.when('EndTierDrain', { tier: 'a', deadlineAt: pool.state.tiers[0]!.deadlineAt! }),
  ],
];

describe('a class that several tiers serve', () => {
  const shared = (a: object = {}, b: object = {}) => ({
    tiers: [
      { name: 'a', priorities: ['high'], nominal: { cpu: '6000m' }, borrowingLimit: 0, ...a },
      { name: 'b', priorities: ['high', 'low'], nominal: { cpu: '4000m' }, borrowingLimit: 0, ...b },
    ],
  });
  const HIGH = { priority: 'high' };

  /** Both tiers are full; w, of the class of both, waits in the first. */
  function both(): Spec {
    const pool = new Spec(shared());
    pool.granted('in-a', { cpu: 6_000 }, HIGH);
    pool.granted('in-b', { cpu: 4_000 }, HIGH);
    pool.queued('w', { cpu: 3_000 }, HIGH);
    expect(pool.state.tiers.map(({ waiting }) => waiting.length)).toEqual([1, 1]);
    return pool;
  }

  it('waits for all of them: the first that has room grants', () => {
    const pool = both();
    expect(pool.lease('in-b').tier).toBe('b');
    pool.release(pool.lease('in-b'));
    expect(pool.lease('w').tier).toBe('b');
    expect(pool.state.tiers.map(({ waiting }) => waiting.length)).toEqual([0, 0]);
  });

  it('is passed by nobody in any of them', () => {
    const pool = both();
    pool.queued('later', { cpu: 1_000 }, HIGH);
    expect(pool.refused('now', { cpu: 1_000 }, { priority: 'low' }).position).toBe(2);
    pool.release(pool.lease('in-b'));
    expect(pool.held()).toEqual(['in-a', 'w', 'later']);
  });

  it('counts once, where it waits', () => {
    const pool = both();
    expect(pool.state.tiers.map((tier) => tierView(pool.state, tier).waiting)).toEqual([1, 0]);
    expect(requestViews(pool.state)).toMatchObject([{ requestId: 'w', tier: 'a', position: 0 }]);
    expect(canonicalState(unpackState(new StatePacker(pool.state).packed()))).toBe(canonicalState(pool.state));
  });

  it('waits on while one of its tiers does not drain, and is shown there', () => {
    const pool = both();
    pool.queued('x', { cpu: 3_000 }, HIGH);
    expect(pool.events('DrainTier', { tier: 'a', deadlineMs: 1_000 })).toEqual(['TierModeChanged']);
    expect(pool.state.tiers.map((tier) => tierView(pool.state, tier).waiting)).toEqual([0, 2]);
    expect(requestViews(pool.state)).toMatchObject([
      { requestId: 'w', tier: 'b', position: 0 },
      { requestId: 'x', tier: 'b', position: 1 },
    ]);
    pool.release(pool.lease('in-b'));
    expect(pool.lease('w').tier).toBe('b');
    expect(pool.events('DrainTier', { tier: 'b', deadlineMs: 1_000 })).toEqual(['TierModeChanged', 'RequestCancelled']);
  });

  it('is granted by a tier that was closed when it was queued, once that opens', () => {
    const pool = new Spec(shared());
    pool.granted('in-a', { cpu: 6_000 }, HIGH);
    pool.when('CordonTier', { tier: 'b' });
    pool.queued('w', { cpu: 3_000 }, HIGH);
    pool.when('UncordonTier', { tier: 'b' });
    expect(pool.lease('w').tier).toBe('b');
  });

  it('is granted by a tier that was too small when it was queued, once that has grown', () => {
    const pool = new Spec(shared({ nominal: { cpu: '9000m' } }, { nominal: { cpu: '1000m' } }));
    pool.granted('in-a', { cpu: 6_000 }, HIGH);
    pool.queued('w', { cpu: 4_000 }, HIGH);
    expect(pool.state.tiers.map(({ waiting }) => waiting.length)).toEqual([1, 0]);
    configure(pool, shared({ nominal: { cpu: '6000m' } }, { nominal: { cpu: '4000m' } }));
    expect(pool.lease('w').tier).toBe('b');
  });

  it('is granted by a tier that comes to serve its class', () => {
    const pool = new Spec(shared({}, { priorities: ['low'] }));
    pool.granted('in-a', { cpu: 6_000 }, HIGH);
    pool.queued('w', { cpu: 3_000 }, HIGH);
    configure(pool, shared());
    expect(pool.lease('w').tier).toBe('b');
  });

  /** a ages fast, b slowly: of `first`, normal, and `second`, high and 10 s later, a serves the one first and b the other. */
  function ageing(): Spec {
    const classes = ['high', 'normal'];
    const pool = new Spec(
      shared({ priorities: classes, queue: { ageingMs: 1 } }, { priorities: classes, queue: { ageingMs: 60_000 } }),
    );
    pool.granted('in-a', { cpu: 6_000 }, { tier: 'a' });
    pool.granted('in-b', { cpu: 4_000 }, { tier: 'b' });
    pool.queued('first', { cpu: 4_000 }, { priority: 'normal' });
    pool.now += 10_000;
    pool.queued('second', { cpu: 4_000 }, HIGH);
    return pool;
  }

  it.each([
    ['in-a', 'a', 'first'],
    ['in-b', 'b', 'second'],
  ])(
    'stands in each by the ageing of that tier: the end of %s lets in who is before in %s, %s',
    (lease, tier, next) => {
      const pool = ageing();
      pool.release(pool.lease(lease));
      expect(pool.lease(next).tier).toBe(tier);
      expect(pool.held()).toHaveLength(2);
    },
  );

  it('has its place by the ageing of the tier in which it is shown', () => {
    const pool = ageing();
    const places = () => requestViews(pool.state).map(({ requestId, tier, position }) => [requestId, tier, position]);
    expect(places()).toEqual([
      ['first', 'a', 0],
      ['second', 'a', 1],
    ]);
    pool.when('CordonTier', { tier: 'a' });
    expect(places()).toEqual([
      ['second', 'b', 0],
      ['first', 'b', 1],
    ]);
    expect(pool.refused('now', { cpu: 1_000 }, HIGH)).toMatchObject({ tier: 'b', position: 1 });
  });

  it('is ranked anew when the ageing changes', () => {
    const pool = ageing();
    const classes = ['high', 'normal'];
    const slow = { priorities: classes, queue: { ageingMs: 60_000 } };
    configure(pool, shared(slow, slow));
    pool.release(pool.lease('in-a'));
    expect(pool.lease('second').tier).toBe('a');
  });

  it('with a minimum takes no regard of itself as of one who waits elsewhere', () => {
    const pool = new Spec(shared({ borrowingLimit: null }, { borrowingLimit: null }));
    pool.granted('x', { cpu: 6_000 }, { tier: 'a' });
    pool.granted('y', { cpu: 4_000 }, { tier: 'b' });
    pool.queued('w', { cpu: 8_000 }, { ...HIGH, minimum: { cpu: 1_000 } });
    pool.release(pool.lease('y'));
    expect(pool.lease('w')).toMatchObject({ tier: 'b', amounts: { cpu: 4_000 } });
  });

  it('waits on while any of its tiers could ever grant it', () => {
    const pool = both();
    configure(pool, shared({ nominal: { cpu: '2000m' } }));
    expect(pool.state.waiting.size).toBe(1);
    pool.release(pool.lease('in-b'));
    expect(pool.lease('w').tier).toBe('b');
  });

  it('lets go of a tier that the configuration takes away', () => {
    const pool = both();
    pool.when('CordonTier', { tier: 'b' });
    pool.release(pool.lease('in-b'));
    configure(pool, { tiers: shared().tiers.slice(0, 1) });
    expect(pool.state.tiers.map(({ name }) => name)).toEqual(['a']);
    pool.release(pool.lease('in-a'));
    expect(pool.lease('w').tier).toBe('a');
  });
});

describe('a request that waits is granted at once by what lets it in:', () => {
  it.each(PATHS)('%s', (_, given, act) => {
    const pool = given();
    expect(pool.held()).not.toContain('w');
    const before = pool.log.length;
    act(pool);
    expect(pool.held()).toContain('w');
    const caused = pool.log.slice(before);
    expect(new Set(caused.map(({ metadata }) => metadata.causationId)).size).toBe(1);
  });

  it('the sweep, should all else have failed', () => {
    const pool = full();
    const { state } = pool;
    const lost = new Spec().restartedAt(state);
    state.tiers[0]!.mode = { ...state.tiers[0]!.mode, admission: 'cordoned' };
    pool.release(pool.lease('full'));
    state.tiers[0]!.mode = { ...state.tiers[0]!.mode, admission: 'open' };
    expect(lost.events('Sweep', {})).toContain('LeaseGranted');
  });

  it('and is left alone by what lets nobody in', () => {
    const pool = full();
    const { leaseId, token } = pool.lease('full');
    expect(pool.events('Renew', { leaseId, token, ttlMs: null })).toEqual(['LeasesRenewed']);
    expect(pool.events('Revoke', { leaseId, reason: null, graceMs: 1 })).toEqual(['RevocationNoticed']);
    expect(pool.events('ObserveHealth', { healthy: false, failing: ['x'] })).toEqual(['HealthChanged']);
    expect(pool.held()).toEqual(['full']);
  });
});
