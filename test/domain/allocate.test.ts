import { describe, expect, it } from 'vitest';
import { Spec } from './spec.ts';

describe('allocate', () => {
  it('grants what fits, with the next token and the whole TTL', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 4_000 });
    expect(lease).toMatchObject({
      tier: 'main',
      amounts: { cpu: 4_000 },
      token: 1,
      borrowed: null,
      priority: 'normal',
    });
    expect(lease.expiresAt).toBe(pool.now + 60_000);
    expect(pool.granted('b', { cpu: 6_000 }).token).toBe(2);
    expect(pool.state.allocated.toJSON()).toEqual({ cpu: 10_000 });
  });

  it('grants down to the minimum, and not below it', () => {
    const pool = new Spec();
    pool.granted('a', { cpu: 7_000 });
    expect(pool.refused('b', { cpu: 5_000 }, { minimum: { cpu: 3_001 } }).code).toBe('EXHAUSTED');
    expect(pool.granted('b', { cpu: 5_000 }, { minimum: { cpu: 1_000 } }).amounts).toEqual({ cpu: 3_000 });
  });

  it('refuses what is missing now with the shortfall and when to come again', () => {
    const pool = new Spec({}, { cpu: 10_000, memory: 100 });
    pool.granted('a', { cpu: 8_000, memory: 10 }, { ttlMs: 5_000 });
    const before = pool.state.revision;
    const refusal = pool.refused('b', { cpu: 5_000, memory: 20 });
    expect(refusal).toMatchObject({ code: 'EXHAUSTED', tier: 'main', shortfall: { cpu: 3_000 }, retryAfterMs: 5_000 });
    expect(refusal.revision).toBe(before);
    expect(pool.state.revision).toBe(before);
  });

  it('refuses at once what can never fit, and never queues it', () => {
    const pool = new Spec();
    const refusal = pool.refused('a', { cpu: 10_001 }, { waitMs: 1_000 });
    expect(refusal).toMatchObject({ code: 'NEVER_FITS', ceiling: { cpu: 10_000 } });
    expect(pool.refused('b', { gpu: 1 })).toMatchObject({ code: 'NEVER_FITS', ceiling: { gpu: 0 } });
  });

  it('refuses unknown classes, tiers and lifetimes with every wrong field', () => {
    const refusal = new Spec().refused('a', { cpu: 1 }, { priority: 'vip', tier: 'gold', ttlMs: 1 });
    expect(refusal.code).toBe('INVALID_REQUEST');
    expect(refusal.errors?.map((error) => error.path)).toEqual(['priority', 'tier', 'ttlMs']);
  });

  it('refuses a name that a live lease or a waiting request has, until that ends', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 10_000 });
    pool.queued('b', { cpu: 1 });
    expect(pool.refused('a', { cpu: 1 }).code).toBe('ID_IN_USE');
    expect(pool.refused('b', { cpu: 1 }).code).toBe('ID_IN_USE');
    pool.release(lease);
    expect(pool.granted('a', { cpu: 1 }).token).toBe(3);
  });

  it('holds at most maxPoolSize leases', () => {
    const pool = new Spec({ maxPoolSize: 2 });
    const first = pool.granted('a', { cpu: 1 });
    pool.granted('b', { cpu: 1 });
    expect(pool.refused('c', { cpu: 1 }).code).toBe('EXHAUSTED');
    pool.release(first);
    pool.granted('c', { cpu: 1 });
  });

  it('refuses a request whose deadline has passed', () => {
    const pool = new Spec();
    expect(pool.refused('a', { cpu: 1 }, { deadline: pool.now }).code).toBe('WAIT_EXPIRED');
  });
});
