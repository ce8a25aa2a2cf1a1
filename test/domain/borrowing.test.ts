import { describe, expect, it } from 'vitest';
import { borrowedOf, lentOf } from '../../src/domain/placement.ts';
import { type LeaseRecord, tierNamed } from '../../src/domain/state.ts';
import { Spec } from './spec.ts';

const two = (a: object = {}, b: object = {}) => ({
  tiers: [
    { name: 'a', priorities: ['high'], nominal: { cpu: '6000m' }, ...a },
    { name: 'b', priorities: ['low'], nominal: { cpu: '4000m' }, ...b },
  ],
});
const IN_A = { tier: 'a' };
const IN_B = { tier: 'b' };

describe('borrowing', () => {
  it('is unlimited by default, and the lease says what of it is borrowed', () => {
    const pool = new Spec(two());
    expect(pool.granted('x', { cpu: 3_000 }, IN_B).borrowed).toBeNull();
    expect(pool.granted('y', { cpu: 7_000 }, IN_B).borrowed).toEqual({ cpu: 6_000 });
    expect(lentOf(pool.state, tierNamed(pool.state, 'a')!)).toEqual({ cpu: 6_000 });
  });

  it("counts what is granted: what is in quarantine is nobody's", () => {
    const pool = new Spec({ ...two(), leases: { quarantineMs: 1_000 } });
    const lost = pool.granted('x', { cpu: 5_000 }, IN_B);
    const borrowed = () => borrowedOf(pool.state, tierNamed(pool.state, 'b')!);
    expect(borrowed()).toEqual({ cpu: 1_000 });
    pool.when('ReclaimExpired', { leases: [lost] });
    expect(borrowed()).toEqual({ cpu: 0 });
    expect(pool.granted('y', { cpu: 100 }, IN_B).borrowed).toEqual({ cpu: 100 });
  });

  it('goes up to the borrowing limit; more can never be granted', () => {
    const pool = new Spec(two({}, { borrowingLimit: { cpu: '1000m' } }));
    expect(pool.refused('x', { cpu: 5_001 }, IN_B)).toMatchObject({ code: 'NEVER_FITS', ceiling: { cpu: 5_000 } });
    pool.granted('y', { cpu: 5_000 }, IN_B);
    expect(pool.refused('z', { cpu: 1 }, IN_B).shortfall).toEqual({ cpu: 1 });
  });

  it('does not happen with a limit of 0', () => {
    const pool = new Spec(two({}, { borrowingLimit: 0 }));
    expect(pool.refused('x', { cpu: 4_001 }, IN_B)).toMatchObject({ code: 'NEVER_FITS', ceiling: { cpu: 4_000 } });
  });

  it('leaves a lender what it does not lend', () => {
    const pool = new Spec(two({ lendingLimit: { cpu: '2000m' } }));
    expect(pool.refused('x', { cpu: 6_001 }, IN_B)).toMatchObject({ code: 'NEVER_FITS', ceiling: { cpu: 6_000 } });
    pool.granted('y', { cpu: 6_000 }, IN_B);
    pool.granted('z', { cpu: 4_000 }, IN_A);
  });

  it('takes nothing from a lender whose lending limit is 0', () => {
    const pool = new Spec(two({ lendingLimit: 0 }));
    expect(pool.refused('x', { cpu: 4_001 }, IN_B).ceiling).toEqual({ cpu: 4_000 });
  });

  it('never goes before a waiter of a lender inside its nominal', () => {
    const pool = new Spec(two());
    const lease = pool.granted('x', { cpu: 8_000 }, IN_B);
    pool.queued('mine', { cpu: 6_000 }, IN_A);
    expect(pool.refused('y', { cpu: 1 }, IN_B).code).toBe('EXHAUSTED');
    pool.queued('y', { cpu: 5_000 }, { ...IN_B, priority: 'critical' });
    pool.release(lease);
    expect(pool.held()).toEqual(['mine']);
  });
});

describe('a minimum', () => {
  /** x holds 1000 of b's nominal and 6000 of a's; theirs waits in a for 3000, inside its nominal, and lacks it. */
  function lent(): { pool: Spec; x: LeaseRecord } {
    const pool = new Spec(two(), { cpu: 10_000 });
    pool.granted('y', { cpu: 1_000 }, IN_A);
    const x = pool.granted('x', { cpu: 7_000 }, IN_B);
    return { pool, x };
  }

  it('is had inside the nominal while borrowing more is forbidden', () => {
    const third = { name: 'c', priorities: ['normal'], nominal: { cpu: '3000m' } };
    const { tiers } = two({ nominal: { cpu: '4000m' } }, { nominal: { cpu: '3000m' } });
    const pool = new Spec({ tiers: [...tiers, third] });
    pool.granted('x', { cpu: 5_000 }, { tier: 'c' });
    pool.granted('y', { cpu: 2_000 }, IN_B);
    pool.queued('lender', { cpu: 4_000 }, IN_A);
    expect(pool.refused('borrower', { cpu: 2_000 }, IN_B).code).toBe('EXHAUSTED');
    expect(pool.granted('least', { cpu: 3_000 }, { ...IN_B, minimum: { cpu: 500 } }).amounts).toEqual({ cpu: 1_000 });
  });

  it('that is free inside the nominal is taken there before anyone borrows', () => {
    const { pool, x } = lent();
    pool.granted('z', { cpu: 2_000 }, IN_A);
    pool.queued('borrower', { cpu: 6_000 }, { ...IN_A, priority: 'critical' });
    pool.queued('least', { cpu: 5_000 }, { ...IN_B, minimum: { cpu: 1_000 } });
    expect(pool.held()).toEqual(['y', 'x', 'z']);
    pool.release(x);
    expect(pool.held()).toEqual(['y', 'z', 'least']);
    expect(pool.lease('least').amounts).toEqual({ cpu: 4_000 });
  });

  it('borrows on top when nobody waits elsewhere', () => {
    const { pool, x } = lent();
    pool.granted('z', { cpu: 2_000 }, IN_A);
    pool.queued('least', { cpu: 9_000 }, { ...IN_B, minimum: { cpu: 1_000 } });
    pool.release(x);
    expect(pool.lease('least')).toMatchObject({ amounts: { cpu: 7_000 }, borrowed: { cpu: 3_000 } });
  });
});

describe('percentages', () => {
  it('floor, and what remains goes to the first tier when they make 100 %', () => {
    const tier = (name: string, nominal: string) => ({ name, priorities: [], nominal });
    const thirds = [tier('a', '33.3%'), tier('b', '33.3%'), tier('c', '33.4%')];
    const nominals = new Spec({ tiers: thirds }, { cpu: 101 }).state.tiers.map((each) => each.sizing.nominal);
    expect(nominals).toEqual([{ cpu: 35 }, { cpu: 33 }, { cpu: 33 }]);
    const part = new Spec({ tiers: thirds.slice(0, 2) }, { cpu: 101 }).state.tiers.map((each) => each.sizing.nominal);
    expect(part).toEqual([{ cpu: 33 }, { cpu: 33 }]);
  });

  it('are of what the reserve leaves', () => {
    const pool = new Spec({ reserve: '5%' }, { cpu: 1_001 });
    expect(pool.state.allocatable).toEqual({ cpu: 951 });
    expect(pool.state.tiers[0]?.sizing.nominal).toEqual({ cpu: 951 });
  });
});
