import { describe, expect, it } from 'vitest';
import { EVENTS_AT_ONCE } from '../../src/domain/decide/decision.ts';
import type { Decided } from '../../src/domain/decide.ts';
import type { CommandData, CommandType } from '../../src/model/commands.ts';
import { config, ONE_TIER, Spec } from './spec.ts';

const MANY = 600;
const PARTS = Math.ceil(MANY / EVENTS_AT_ONCE);
const ROOMY = { tiers: [{ ...ONE_TIER.tiers[0], queue: { maxLength: MANY } }] };

/** Decides the command and what follows from it, to its end. */
function whole<T extends CommandType>(pool: Spec, type: T, data: CommandData[T]): Decided[] {
  const parts = [pool.when(type, data)];
  for (const { more } of parts) for (const next of more) parts.push(pool.when(next.type, next.data as never));
  return parts;
}

const typesIn = (parts: readonly Decided[]) => parts.map(({ events }) => [...new Set(events.map(({ type }) => type))]);
const countOf = (pool: Spec, wanted: string) => pool.log.filter(({ type }) => type === wanted).length;

function waiters(): Spec {
  const pool = new Spec(ROOMY);
  pool.granted('all', { cpu: 10_000 });
  for (let i = 0; i < MANY; i++) pool.queued(`w${i}`, { cpu: 1 }, { ttlMs: 60_000 });
  return pool;
}

function leases(): Spec {
  const pool = new Spec();
  for (let i = 0; i < MANY; i++) pool.granted(`l${i}`, { cpu: 1 });
  return pool;
}

describe('a command that concerns very many is decided in parts, each of which fits one append:', () => {
  it('a release wakes all waiters', () => {
    const pool = waiters();
    const { leaseId, token } = pool.lease('all');
    const parts = whole(pool, 'Release', { leaseId, token, cause: 'holder' });
    expect(pool.held()).toEqual(Array.from({ length: MANY }, (_, i) => `w${i}`));
    for (const { events } of parts) expect(events.length).toBeLessThanOrEqual(EVENTS_AT_ONCE + 1);
    expect(parts).toHaveLength(PARTS);
  });

  it.each([
    ['the drain of the tier', 'DrainTier', { tier: 'main', deadlineMs: 1_000 }],
    ['the drain of the pool', 'DrainPool', { deadlineMs: null }],
    [
      'capacity that falls below what they want',
      'ObserveCapacity',
      { hostId: 'h', source: 'declared', capacity: { cpu: 0 } },
    ],
    [
      'a time to live that is no longer allowed',
      'Configure',
      {
        config: config({ ...ROOMY, leases: { maxTtlMs: 30_000 }, resourceTimeoutMs: 30_000 }),
        hash: 'x',
        source: 'start',
        expectedRevision: null,
      },
    ],
  ] as const)('%s sends all waiters away', (_, type, data) => {
    const pool = waiters();
    const parts = whole(pool, type, data);
    expect(pool.state.waiting.size).toBe(0);
    expect(countOf(pool, 'RequestCancelled')).toBe(MANY);
    for (const { events } of parts) expect(events.length).toBeLessThanOrEqual(EVENTS_AT_ONCE + 1);
    expect(parts).toHaveLength(PARTS);
  });

  it('the deadline of a drain ends all leases, and then the drain', () => {
    const pool = leases();
    pool.when('DrainTier', { tier: 'main', deadlineMs: 1_000 });
    const parts = whole(pool, 'EndTierDrain', { tier: 'main', deadlineAt: pool.state.tiers[0]!.deadlineAt! });
    expect(typesIn(parts)).toEqual([
      ...new Array(PARTS - 1).fill(['LeaseReclaimed']),
      ['LeaseReclaimed', 'TierModeChanged'],
    ]);
    expect(pool.state.tiers[0]?.mode.admission).toBe('drained');
  });

  it('a clock gap is observed once, and renews every lease once', () => {
    const pool = leases();
    pool.now += 59_000;
    const parts = [pool.decide(pool.command('ObserveClockGap', { gapMs: 59_000, afterToken: 0 }), undefined, 20)];
    for (const { more } of parts)
      for (const { type, data } of more) {
        pool.now += 5;
        parts.push(pool.decide(pool.command(type, data as never), undefined, 20));
      }
    expect(typesIn(parts)).toEqual([['ClockGapObserved', 'LeasesRenewed'], ['LeasesRenewed']]);
    const renewed = pool.log.flatMap((event) => (event.type === 'LeasesRenewed' ? event.data.renewals : []));
    expect(new Set(renewed.map(({ leaseId }) => leaseId)).size).toBe(MANY);
    expect(renewed).toHaveLength(MANY);
    expect(pool.log.find(({ type }) => type === 'ClockGapObserved')?.data).toMatchObject({ extendedLeases: MANY });
  });

  it('a drain whose follow-up was lost is ended by the sweep', () => {
    const pool = waiters();
    pool.when('DrainPool', { deadlineMs: null });
    expect(pool.state.waiting.size).toBeGreaterThan(0);
    whole(pool, 'Sweep', {});
    expect(pool.state.waiting.size).toBe(0);
  });
});
