import { describe, expect, it } from 'vitest';
import { ImpossibleHistory } from '../../src/domain/evolve/impossible.ts';
import { evolve } from '../../src/domain/evolve.ts';
import { emptyState } from '../../src/domain/state.ts';
import { type EventData, type EventType, type RecordedPoolEvent, SCHEMA_VERSIONS } from '../../src/model/events.ts';
import { request, Spec } from './spec.ts';

/** a (3000, noticed) and b (2000) are held; c waits for 9000; lost (1000) is in quarantine; the pool has 10 000. */
function given(): Spec {
  const pool = new Spec({ leases: { quarantineMs: 60_000 }, breaker: { openMs: 1_000 } });
  const { leaseId } = pool.granted('a', { cpu: 3_000 });
  pool.granted('b', { cpu: 2_000 });
  const lost = pool.granted('lost', { cpu: 1_000 });
  pool.queued('c', { cpu: 9_000 });
  pool.when('ReclaimExpired', { leases: [lost] });
  pool.when('Revoke', { leaseId, reason: null, graceMs: 5_000 });
  pool.when('TriggerBreaker', { trigger: 'failures.high', generation: null, draw: 0.5 });
  return pool;
}

/** An event that follows what is given, of the kind that a decision would write. */
function next<T extends EventType>(pool: Spec, type: T, data: EventData[T], over: object = {}): RecordedPoolEvent {
  return {
    id: 'e',
    type,
    schemaVersion: SCHEMA_VERSIONS[type],
    at: pool.state.at,
    data,
    metadata: { correlationId: 'c', causationId: 'c', actor: 'test' },
    stream: pool.state.stream,
    revision: pool.state.revision + 1,
    ...over,
  } as unknown as RecordedPoolEvent;
}

const ids = (pool: Spec, name: 'a' | 'b') => ({ leaseId: pool.lease(name).leaseId, token: pool.lease(name).token });
const waiting = (pool: Spec) => pool.state.waiting.values().next().value!;
const lost = (pool: Spec) => pool.state.quarantine.values().next().value!;

function grant(pool: Spec, over: Partial<EventData['LeaseGranted']> = {}): RecordedPoolEvent {
  const amounts = over.amounts ?? { cpu: 1_000 };
  return next(pool, 'LeaseGranted', {
    leaseId: 'new',
    request: request('new', { amounts }),
    priority: 'normal',
    type: 'cpu',
    tier: 'main',
    amounts,
    borrowed: null,
    token: pool.state.lastToken + 1,
    ttlMs: 60_000,
    expiresAt: pool.state.at + 60_000,
    waitedMs: null,
    ...over,
  });
}

function queue(pool: Spec, over: Partial<EventData['RequestQueued']> = {}): RecordedPoolEvent {
  const { queuedAt, revision, ...data } = waiting(pool);
  return next(pool, 'RequestQueued', {
    ...data,
    tier: 'main',
    leaseId: 'q',
    request: request('q', { amounts: { cpu: 9_000 } }),
    ...over,
  });
}

function mode(pool: Spec, over: Partial<EventData['TierModeChanged']>): RecordedPoolEvent {
  const from = pool.state.tiers[0]!.mode;
  const to = { ...from, admission: 'cordoned' as const };
  return next(pool, 'TierModeChanged', { tier: 'main', trigger: 'cordon', from, to, deadlineAt: null, ...over });
}

function breaker(pool: Spec, over: Partial<EventData['BreakerModeChanged']>): RecordedPoolEvent {
  const data = { trigger: 'openElapsed', from: 'open', to: 'halfOpen', generation: 2, until: 9, reopened: 0 } as const;
  return next(pool, 'BreakerModeChanged', { writerId: 'w1', ...data, ...over });
}

function renewal(pool: Spec, name: 'a' | 'b', ms: number): RecordedPoolEvent {
  const renewals = [{ leaseId: pool.lease(name).leaseId, ttlMs: ms, expiresAt: pool.state.at + ms }];
  return next(pool, 'LeasesRenewed', { renewals, cause: 'holder' });
}

function size(pool: Spec, tier: string): RecordedPoolEvent {
  const { capacity, allocatable, tiers } = pool.state;
  const sized = { allocatable, tiers: { [tier]: tiers[0]!.sizing } };
  return next(pool, 'CapacityObserved', { hostId: 'h', source: 'declared', capacity, sized });
}

type Make = (pool: Spec) => RecordedPoolEvent;

const POSSIBLE: readonly [string, Make][] = [
  ['a grant', (pool) => grant(pool)],
  ['a request that queues', (pool) => queue(pool)],
  ['a renewal within the notice', (pool) => renewal(pool, 'a', 5_000)],
  [
    'a shorter notice',
    (pool) =>
      next(pool, 'RevocationNoticed', {
        ...ids(pool, 'a'),
        reason: 'revoked',
        detail: null,
        endsAt: pool.state.at + 1,
      }),
  ],
  ['a mode by the table', (pool) => mode(pool, {})],
  ['a breaker by the table', (pool) => breaker(pool, {})],
  [
    "another writer's first breaker",
    (pool) =>
      breaker(pool, {
        writerId: 'w2',
        trigger: 'force.open',
        from: 'closed',
        to: 'forcedOpen',
        generation: 1,
        until: null,
      }),
  ],
  ['a size', (pool) => size(pool, 'main')],
];

const IMPOSSIBLE: readonly [string, RegExp, Make][] = [
  [
    'a gap in the revisions',
    /does not follow revision/,
    (pool) => ({ ...grant(pool), revision: pool.state.revision + 2 }),
  ],
  [
    'a revision that was there',
    /does not follow revision/,
    (pool) => ({ ...grant(pool), revision: pool.state.revision }),
  ],
  ['a date before the last', /is dated/, (pool) => ({ ...grant(pool), at: pool.state.at - 1 })],
  ['another stream', /no event of pool-p/, (pool) => ({ ...grant(pool), stream: 'pool-q' })],
  ['the audit stream', /no event of pool-p/, (pool) => ({ ...grant(pool), stream: 'pool-p-audit' })],
  [
    'a type that nobody knows',
    /unknown type/,
    (pool) => next(pool, 'toString' as 'HealthChanged', { healthy: true, failing: [] }),
  ],
  ['a second opening', /open already/, (pool) => next(pool, 'PoolOpened', { poolId: 'p', hostId: 'h' })],
  ['a token that was given', /does not follow 3/, (pool) => grant(pool, { token: 3 })],
  ['a token that skips one', /does not follow 3/, (pool) => grant(pool, { token: 5 })],
  ['the name of a live lease', /b is in use/, (pool) => grant(pool, { request: request('b', {}) })],
  ['the name of who waits', /c is in use/, (pool) => grant(pool, { request: request('c', {}) })],
  ['more than there is', /more than there is/, (pool) => grant(pool, { amounts: { cpu: 4_001 } })],
  ['a tier that is not there', /no tier gold/, (pool) => grant(pool, { tier: 'gold' })],
  ['the waiter under another name', /what waits as c/, (pool) => grant(pool, { leaseId: waiting(pool).leaseId })],
  ['a place in the queue for a lease', /in use/, (pool) => queue(pool, { leaseId: pool.lease('a').leaseId })],
  ['a second place in the queue', /in use/, (pool) => queue(pool, { leaseId: waiting(pool).leaseId })],
  [
    'a place in the queue under a name in use',
    /a or q is in use/,
    (pool) => queue(pool, { request: request('a', {}) }),
  ],
  [
    'the end of a wait under another name',
    /does not wait as z/,
    (pool) => next(pool, 'RequestExpired', { leaseId: waiting(pool).leaseId, requestId: 'z' }),
  ],
  [
    'the end of a wait that is none',
    /does not wait/,
    (pool) => next(pool, 'RequestExpired', { leaseId: 'z', requestId: 'c' }),
  ],
  [
    'the end of a lease that ended',
    /no live lease/,
    (pool) => next(pool, 'LeaseReleased', { leaseId: lost(pool).leaseId, token: 3, cause: 'holder' }),
  ],
  [
    'the end of a lease under another token',
    /no live lease .* with token 9|token 9 is not 2/,
    (pool) => next(pool, 'LeaseReleased', { ...ids(pool, 'b'), token: 9, cause: 'holder' }),
  ],
  [
    'a renewal of what is no lease',
    /no live lease/,
    (pool) => next(pool, 'LeasesRenewed', { renewals: [{ leaseId: 'z', ttlMs: 1, expiresAt: 1 }], cause: 'holder' }),
  ],
  ['a renewal beyond the notice', /outlives its notice/, (pool) => renewal(pool, 'a', 5_001)],
  [
    'a notice that lengthens the grace',
    /noticed already/,
    (pool) =>
      next(pool, 'RevocationNoticed', {
        ...ids(pool, 'a'),
        reason: 'revoked',
        detail: null,
        endsAt: pool.state.at + 5_000,
      }),
  ],
  ['a second quarantine', /quarantined twice/, (pool) => next(pool, 'QuarantineStarted', lost(pool))],
  [
    'the end of a quarantine elsewhere',
    /not in quarantine in tier gold/,
    (pool) => next(pool, 'QuarantineEnded', { leaseId: lost(pool).leaseId, tier: 'gold' }),
  ],
  [
    'a mode that the tier is not in',
    /does not lead/,
    (pool) => mode(pool, { from: { admission: 'drained', load: 'normal' } }),
  ],
  [
    'a mode that the trigger does not lead to',
    /does not lead/,
    (pool) => mode(pool, { to: { admission: 'drained', load: 'normal' } }),
  ],
  ['a deadline without a drain', /a drain, and nothing else/, (pool) => mode(pool, { deadlineAt: 5 })],
  [
    'a breaker in another mode than recorded',
    /from open to/,
    (pool) => breaker(pool, { trigger: 'failures.high', from: 'closed', to: 'open' }),
  ],
  [
    'a generation of a breaker that skips one',
    /generation 3 does not follow 1/,
    (pool) => breaker(pool, { generation: 3 }),
  ],
  ['a half-open breaker that waits for ever', /waits until a time/, (pool) => breaker(pool, { until: null })],
  [
    'a token floor below the last token',
    /raises the floor/,
    (pool) => next(pool, 'TokenFloorRaised', { floor: 1, reason: 'asked', fileId: null }),
  ],
  [
    'a token floor without room above it',
    /raises the floor/,
    (pool) => next(pool, 'TokenFloorRaised', { floor: Number.MAX_SAFE_INTEGER, reason: 'asked', fileId: null }),
  ],
  ['the end of a drain that is none', /does not drain/, (pool) => next(pool, 'PoolDrainEnded', {})],
  ['a tier without a size', /main has no size/, (pool) => size(pool, 'gold')],
];

describe('the fold', () => {
  it.each(POSSIBLE)('takes %s', (_, make) => {
    const pool = given();
    evolve(pool.state, make(pool));
  });

  it.each(IMPOSSIBLE)('throws at %s, and says where and why', (_, why, make) => {
    const pool = given();
    const event = make(pool);
    expect(() => evolve(pool.state, event)).toThrow(ImpossibleHistory);
    expect(() => evolve(given().state, event)).toThrow(why);
    expect(() => evolve(given().state, event)).toThrow(`${event.stream}@${event.revision} ${event.type}: `);
  });

  it('throws at a tier that is drained with what it holds, and at one that takes its leases away', () => {
    const pool = given();
    const from = pool.state.tiers[0]!.mode;
    const draining = { ...from, admission: 'draining' as const };
    evolve(pool.state, mode(pool, { trigger: 'drain', to: draining, deadlineAt: pool.state.at }));
    const drained = { ...from, admission: 'drained' as const };
    const event = mode(pool, { trigger: 'drain.deadline', from: draining, to: drained });
    expect(() => evolve(pool.state, event)).toThrow('holds 2 leases');
    expect(() => evolve(pool.state, grant(pool))).toThrow('admits nothing');
  });

  it('throws at more leases than the pool may hold', () => {
    const pool = new Spec({ maxPoolSize: 1 });
    pool.granted('a', { cpu: 1 });
    expect(() => evolve(pool.state, grant(pool))).toThrow('more than there is');
  });

  it('begins with the opening of its own pool, or with a barrier before it', () => {
    const opened = (stream: string, revision = 0) => {
      const event = next(new Spec(), 'PoolOpened', { poolId: 'p', hostId: 'h' });
      return { ...event, stream, revision } as RecordedPoolEvent;
    };
    expect(() => evolve(emptyState(), opened('pool-q'))).toThrow('opens a pool whose stream is pool-p');
    expect(() => evolve(emptyState(), { ...grant(given()), revision: 0 })).toThrow('is not open');
    const state = emptyState();
    const barrier = next(new Spec(), 'WriterStarted', { writerId: 'w', hostId: 'h', version: '1' }, { revision: 0 });
    evolve(state, barrier);
    evolve(state, opened('pool-p', 1));
    expect(state.poolId).toBe('p');
  });
});
