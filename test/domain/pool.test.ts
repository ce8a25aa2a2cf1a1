import { describe, expect, it } from 'vitest';
import type { CommandData } from '../../src/model/commands.ts';
import { config, ONE_TIER, refusalOf, Spec } from './spec.ts';

const configure = (hash: string, source: 'start' | 'patch', patch: object = {}): CommandData['Configure'] => ({
  config: config(patch),
  hash,
  source,
  expectedRevision: null,
});

describe('a configuration', () => {
  it('from the start is taken over only if it differs from the one last started with, so that a patch survives', () => {
    const pool = new Spec();
    expect(pool.events('Configure', configure('first', 'start'))).toEqual([]);
    expect(pool.events('Configure', configure('second', 'patch', { maxPoolSize: 7 }))).toEqual(['ConfigChanged']);
    expect(pool.events('Configure', configure('first', 'start'))).toEqual([]);
    expect(pool.state.config.maxPoolSize).toBe(7);
    expect(pool.events('Configure', configure('second', 'patch'))).toEqual([]);
    expect(pool.events('Configure', configure('third', 'start'))).toEqual(['ConfigChanged']);
    expect(pool.state).toMatchObject({ configHash: 'third', startConfigHash: 'third' });
  });

  it('is refused if another one came before', () => {
    const pool = new Spec();
    const stale = { ...configure('x', 'patch'), expectedRevision: pool.state.configRevision - 1 };
    expect(refusalOf(pool.when('Configure', stale).answer).code).toBe('REVISION_MISMATCH');
    const fresh = { ...stale, expectedRevision: pool.state.configRevision };
    expect(pool.events('Configure', fresh)).toEqual(['ConfigChanged']);
  });

  it('may not take away a tier that holds something', () => {
    const pool = new Spec();
    const other = { tiers: [{ ...ONE_TIER.tiers[0], name: 'other' }] };
    const lease = pool.granted('a', { cpu: 1 });
    expect(refusalOf(pool.when('Configure', configure('x', 'patch', other)).answer).code).toBe('INVALID_CONFIG');
    pool.release(lease);
    pool.when('Configure', configure('x', 'patch', other));
    expect(pool.granted('b', { cpu: 1 }).tier).toBe('other');
  });

  it('may ask by a patch for no larger nominals than there is, and is told which field and what is left for it', () => {
    const pool = new Spec();
    const tier = (name: string, nominal: object | string) => ({ name, nominal });
    const patch = (...tiers: object[]) => configure('x', 'patch', { tiers });
    const refusal = refusalOf(pool.when('Configure', patch(tier('a', '60%'), tier('b', { cpu: '4001m' }))).answer);
    expect(refusal.code).toBe('INVALID_CONFIG');
    expect(refusal.errors).toMatchObject([{ path: 'tiers.1.nominal.cpu', value: 4_001 }]);
    expect(refusal.message).toContain('at most 4000 base units');
    expect(pool.events('Configure', patch(tier('a', '60%'), tier('b', { cpu: '4000m' })))).toEqual(['ConfigChanged']);
  });

  it('whose nominals come to more than there is, since the capacity fell, keeps the first tiers whole and cuts the later', () => {
    const tiers = ['a', 'b', 'c'].map((name) => ({ name, nominal: { cpu: '4000m' }, priorities: [] }));
    const pool = new Spec({ tiers });
    const nominals = () => pool.state.tiers.map(({ sizing }) => sizing.nominal['cpu']);
    expect(nominals()).toEqual([4_000, 4_000, 2_000]);
    pool.when('ObserveCapacity', { hostId: 'h', source: 'declared', capacity: { cpu: 7_000 } });
    expect(nominals()).toEqual([4_000, 3_000, 0]);
    expect(pool.events('Configure', configure('x', 'patch', { tiers, maxPoolSize: 5 }))).toEqual(['ConfigChanged']);
    pool.when('ObserveCapacity', { hostId: 'h', source: 'declared', capacity: { cpu: 12_000 } });
    expect(nominals()).toEqual([4_000, 4_000, 4_000]);
  });

  it('that gives more room serves those who wait', () => {
    const pool = new Spec({ reserve: '50%' });
    pool.granted('a', { cpu: 5_000 });
    pool.queued('b', { cpu: 5_000 });
    expect(pool.events('Configure', configure('x', 'patch', { reserve: '0%' }))).toContain('LeaseGranted');
  });
});

describe('health', () => {
  it('is an event when it changes', () => {
    const pool = new Spec();
    const failing = { healthy: false, failing: ['disk'] };
    expect(pool.events('ObserveHealth', failing)).toEqual(['HealthChanged']);
    expect(pool.events('ObserveHealth', failing)).toEqual([]);
    expect(pool.state.healthy).toBe(false);
  });
});

describe('opening', () => {
  it('happens once', () => {
    const pool = new Spec();
    expect(pool.events('OpenPool', { poolId: 'p', hostId: 'h' })).toEqual([]);
    expect(pool.log.map((event) => event.type)).toEqual(['PoolOpened', 'ConfigChanged', 'CapacityObserved']);
  });
});

describe('the token floor', () => {
  const asked = (least: number | null): CommandData['RaiseTokenFloor'] => ({
    least,
    known: 0,
    reason: 'copied',
    fileId: null,
  });
  const copied = (fileId: string, known = 0, least: number | null = null): CommandData['RaiseTokenFloor'] => ({
    least,
    known,
    reason: 'copied',
    fileId,
  });

  it('that is asked for is raised unless the tokens have passed it; the next token is one more', () => {
    const pool = new Spec();
    expect(pool.granted('a', { cpu: 1 }).token).toBe(1);
    expect(pool.events('RaiseTokenFloor', asked(50))).toEqual(['TokenFloorRaised']);
    expect(pool.log.at(-1)!.data).toEqual({ floor: 50, reason: 'asked', fileId: null });
    expect(pool.granted('b', { cpu: 1 }).token).toBe(51);
    expect(pool.events('RaiseTokenFloor', asked(50))).toEqual([]);
    expect(pool.events('RaiseTokenFloor', asked(null))).toEqual([]);
  });

  it('of a copy is raised once for each copy, above all that is known, and a lease far above the others is found', () => {
    const pool = new Spec();
    pool.granted('a', { cpu: 1 });
    expect(pool.events('RaiseTokenFloor', copied('one', 7))).toEqual(['TokenFloorRaised']);
    expect(pool.events('RaiseTokenFloor', copied('one', 7))).toEqual([]);
    const { leaseId, token } = pool.granted('b', { cpu: 1 });
    expect(token).toBe(7 + 2 ** 40 + 1);
    expect(pool.events('RaiseTokenFloor', copied('two'))).toEqual(['TokenFloorRaised']);
    expect(pool.state.lastToken).toBe(token + 2 ** 40);
    expect(pool.events('Release', { leaseId, token, cause: 'holder' })).toEqual(['LeaseReleased']);
    expect(pool.state.leases.size).toBe(1);
  });

  it.each([
    ['below what is known', copied('one', 7, 6)],
    ['above 2^53 - 1 - 2^40', copied('one', 0, 2 ** 53 - 2 ** 40)],
  ])('%s is refused, and tells what is allowed', (_, data) => {
    const { answer } = new Spec().when('RaiseTokenFloor', data);
    expect(refusalOf(answer)).toMatchObject({ code: 'INVALID_REQUEST', message: expect.stringContaining('allowed: ') });
  });
});
