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
