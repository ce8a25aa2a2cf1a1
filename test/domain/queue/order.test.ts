import { describe, expect, it } from 'vitest';
import { decide } from '../../../src/domain/decide.ts';
import { Journal } from '../../../src/domain/ledger/journal.ts';
import { StatePacker, unpackState } from '../../../src/domain/ledger/pack.ts';
import { poolView } from '../../../src/domain/views.ts';
import { config, refusalOf, request, Spec } from '../spec.ts';

const MANY = 200;

/** Many leases of a minute, and in the midst of them one that runs out in 7 s. */
function crowd(): Spec {
  const pool = new Spec();
  for (let i = 0; i < MANY; i++) pool.granted(`l${i}`, { cpu: 10_000 / MANY }, { ttlMs: i === 100 ? 7_000 : 60_000 });
  return pool;
}

describe('what can be seen depends on no order of insertion', () => {
  it('retryAfterMs is until the first lease runs out, wherever that stands, as leases come, renew and go', () => {
    const pool = crowd();
    const retryAfterMs = () => pool.refused('more', { cpu: 1 }).retryAfterMs;
    expect(retryAfterMs()).toBe(7_000);
    const renew = (name: string, ttlMs: number) =>
      pool.when('Renew', { ...pool.lease(name), ttlMs } as { leaseId: string; token: number; ttlMs: number });
    renew('l7', 3_000);
    expect(retryAfterMs()).toBe(3_000);
    renew('l7', 50_000);
    expect(retryAfterMs()).toBe(7_000);
    pool.release(pool.lease('l100'));
    pool.granted('l100', { cpu: 50 }, { ttlMs: 5_000 });
    expect(retryAfterMs()).toBe(5_000);
    pool.release(pool.lease('l100'));
    pool.granted('l100', { cpu: 50 });
    expect(retryAfterMs()).toBe(50_000);
  });

  it('and is the same after an undo and from a snapshot', () => {
    const pool = crowd();
    const ask = (state = pool.state) => {
      const asked = pool.command('Allocate', { request: request('more', { amounts: { cpu: 1 } }) });
      return refusalOf(decide(state, asked, pool.context, journal).answer).retryAfterMs;
    };
    const journal = new Journal();
    expect(ask()).toBe(7_000);
    pool.when('Release', { ...pool.lease('l100'), cause: 'holder' } as never, journal);
    pool.when('Allocate', { request: request('s', { amounts: { cpu: 50 }, ttlMs: 1_000 }) }, journal);
    expect(ask()).toBe(1_000);
    journal.undoTo(0);
    expect(ask()).toBe(7_000);
    expect(ask(unpackState(new StatePacker(pool.state).packed()))).toBe(7_000);
  });

  it('the breaker of a pool as a log shows it is that of the writer that was heard of last', () => {
    const pool = new Spec({ breaker: { openMs: 1_000 } });
    const trip = { trigger: 'failures.high', generation: null, draw: 0.5 } as const;
    pool.when('TriggerBreaker', trip);
    expect(poolView(pool.state).breaker.mode).toBe('open');
    pool.when('StartWriter', { writerId: 'w2', hostId: 'h', version: '1' });
    expect(poolView(pool.state).breaker.mode).toBe('closed');
    pool.when('TriggerBreaker', { ...trip, trigger: 'force.open' });
    expect(poolView(unpackState(new StatePacker(pool.state).packed())).breaker.mode).toBe('forcedOpen');
  });
});

describe('an owner', () => {
  it('is remembered for its quota only, and counted anew when it gets one', () => {
    const pool = new Spec();
    const configure = (quotas: object, hash: string) =>
      pool.when('Configure', { config: config({ quotas }), hash, source: 'patch', expectedRevision: null });
    const first = pool.granted('a', { cpu: 3_000 }, { owner: 'ann' });
    expect(pool.state.owners.size).toBe(0);
    configure({ ann: { cpu: '4000m' } }, 'x');
    expect(pool.refused('b', { cpu: 2_000 }, { owner: 'ann' }).code).toBe('QUOTA_EXCEEDED');
    const state = unpackState(new StatePacker(pool.state).packed());
    expect(state.owners.get('ann')?.toJSON()).toEqual({ cpu: 3_000 });
    pool.release(first);
    expect(unpackState(new StatePacker(pool.state).packed()).owners.get('ann')?.toJSON()).toEqual({});
    pool.granted('b', { cpu: 4_000 }, { owner: 'ann' });
    expect(pool.refused('c', { cpu: 1 }, { owner: 'ann' }).code).toBe('QUOTA_EXCEEDED');
    configure({}, 'y');
    expect(pool.state.owners.size).toBe(0);
  });
});
