import { describe, expect, it } from 'vitest';
import { StatePacker, unpackState } from '../../src/domain/ledger/pack.ts';
import { refusalOf, Spec } from './spec.ts';

const due = (lease: { leaseId: string; expiresAt: number }) => ({
  leases: [{ leaseId: lease.leaseId, expiresAt: lease.expiresAt }],
});

describe('release', () => {
  it('ends the lease and frees its capacity; the same again answers the same', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 10_000 });
    expect(pool.release(lease)).toMatchObject({ kind: 'lease', replayed: false, lease: { reason: null } });
    expect(pool.state.allocated.of('cpu')).toBe(0);
    const revision = pool.state.revision;
    expect(pool.release(lease)).toMatchObject({ kind: 'lease', replayed: true, lease: { revision } });
    expect(pool.state.revision).toBe(revision);
  });

  it('refuses another token, live or ended, and what it does not know', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 1 });
    expect(refusalOf(pool.release({ leaseId: lease.leaseId, token: 7 }))).toMatchObject({
      code: 'FENCED',
      reason: 'token',
    });
    pool.release(lease);
    expect(refusalOf(pool.release({ leaseId: lease.leaseId, token: 7 })).code).toBe('FENCED');
    expect(refusalOf(pool.release({ leaseId: 'none', token: 1 })).code).toBe('NOT_FOUND');
  });
});

describe('a lease that has ended', () => {
  it('is answered for the retention, and then as if it had never been', () => {
    const pool = new Spec({ idempotency: { retentionMs: 3_600_000 } });
    const lease = pool.granted('a', { cpu: 1 });
    pool.release(lease);
    pool.now += 3_600_000;
    expect(pool.release(lease).kind).toBe('lease');
    pool.now += 1;
    expect(refusalOf(pool.release(lease)).code).toBe('NOT_FOUND');
    const { leaseId, token } = lease;
    expect(refusalOf(pool.when('Renew', { leaseId, token, ttlMs: null }).answer).code).toBe('NOT_FOUND');
    expect(refusalOf(pool.when('Revoke', { leaseId, reason: null, graceMs: 0 }).answer).code).toBe('NOT_FOUND');
  });
});

describe('renew and expiry', () => {
  it('gives the whole TTL from now, or another one within the limits', () => {
    const pool = new Spec();
    const { leaseId, token } = pool.granted('a', { cpu: 1 });
    pool.now += 30_000;
    pool.when('Renew', { leaseId, token, ttlMs: null });
    expect(pool.state.leases.get(leaseId)?.expiresAt).toBe(pool.now + 60_000);
    pool.when('Renew', { leaseId, token, ttlMs: 1_000 });
    expect(pool.state.leases.get(leaseId)).toMatchObject({ ttlMs: 1_000, expiresAt: pool.now + 1_000 });
    expect(refusalOf(pool.when('Renew', { leaseId, token, ttlMs: 1 }).answer).code).toBe('INVALID_REQUEST');
    expect(refusalOf(pool.when('Renew', { leaseId, token: 9, ttlMs: null }).answer).code).toBe('FENCED');
  });

  it('lets a renewal win that came before the expiry, and an expiry that came before the renewal', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 1 }).copy();
    pool.now = lease.expiresAt + 1;
    pool.when('Renew', { leaseId: lease.leaseId, token: 1, ttlMs: null });
    expect(pool.events('ReclaimExpired', due(lease))).toEqual([]);
    expect(pool.events('ReclaimExpired', due(pool.state.leases.get(lease.leaseId)!))).toEqual(['LeaseReclaimed']);
    const late = pool.when('Renew', { leaseId: lease.leaseId, token: 1, ttlMs: null });
    expect(refusalOf(late.answer)).toMatchObject({ code: 'FENCED', reason: 'expired', revision: pool.state.revision });
    expect(refusalOf(pool.release(lease))).toMatchObject({ code: 'FENCED', reason: 'expired' });
  });

  it('keeps the capacity of a lost lease back for the quarantine, and not that of a released one', () => {
    const pool = new Spec({ leases: { quarantineMs: 5_000 } });
    const lost = pool.granted('a', { cpu: 6_000 });
    const given = pool.granted('b', { cpu: 4_000 });
    pool.release(given);
    expect(pool.events('ReclaimExpired', due(lost))).toEqual(['LeaseReclaimed', 'QuarantineStarted']);
    expect(pool.state.quarantined.toJSON()).toEqual({ cpu: 6_000 });
    expect(pool.refused('c', { cpu: 4_001 }).shortfall).toEqual({ cpu: 1 });
    pool.queued('d', { cpu: 10_000 });
    expect(pool.events('EndQuarantine', { leaseIds: [lost.leaseId] })).toEqual(['QuarantineEnded', 'LeaseGranted']);
    expect(pool.events('EndQuarantine', { leaseIds: [lost.leaseId] })).toEqual([]);
  });
});

describe('revoke', () => {
  it('gives notice and grace; a renewal cannot outlast it; then the lease is reclaimed', () => {
    const pool = new Spec();
    const { leaseId, token } = pool.granted('a', { cpu: 1 });
    const revoke = () => pool.events('Revoke', { leaseId, reason: 'needed', graceMs: null });
    expect(revoke()).toEqual(['RevocationNoticed']);
    expect(revoke()).toEqual([]);
    const endsAt = pool.now + 10_000;
    pool.when('Renew', { leaseId, token, ttlMs: null });
    expect(pool.state.leases.get(leaseId)).toMatchObject({ noticeEndsAt: endsAt, expiresAt: endsAt });
    pool.when('EndNoticed', { leaseIds: [leaseId] });
    expect(pool.state.ended.get(leaseId)?.reason).toBe('revoked');
  });

  it('ends with the reason that was given for it, also after a restart', () => {
    const pool = new Spec();
    const { leaseId } = pool.granted('a', { cpu: 1 });
    pool.when('Revoke', { leaseId, reason: 'needed', graceMs: null });
    const restarted = pool.restartedAt(unpackState(new StatePacker(pool.state).packed()));
    for (const each of [restarted, pool])
      expect(each.when('EndNoticed', { leaseIds: [leaseId] }).events[0]?.data).toMatchObject({ detail: 'needed' });
  });

  it('ends at once without grace, and never a lease without notice by EndNoticed', () => {
    const pool = new Spec();
    const { leaseId } = pool.granted('a', { cpu: 1 });
    expect(pool.events('EndNoticed', { leaseIds: [leaseId] })).toEqual([]);
    expect(pool.events('Revoke', { leaseId, reason: null, graceMs: 0 })).toEqual(['LeaseReclaimed']);
    expect(refusalOf(pool.when('Revoke', { leaseId, reason: null, graceMs: 0 }).answer).code).toBe('FENCED');
  });

  it('asked for again shortens what is left of the grace, down to none, and never lengthens it', () => {
    const pool = new Spec();
    const { leaseId } = pool.granted('a', { cpu: 1 });
    const revoke = (graceMs: number | null) => pool.when('Revoke', { leaseId, reason: null, graceMs });
    const endsAt = () => (pool.state.leases.get(leaseId)?.noticeEndsAt ?? 0) - pool.now;
    revoke(20_000);
    expect(revoke(30_000)).toMatchObject({ events: [], answer: { kind: 'lease', replayed: true } });
    pool.now += 5_000;
    expect(endsAt()).toBe(15_000);
    expect(revoke(1_000).events.map((event) => event.type)).toEqual(['RevocationNoticed']);
    expect(endsAt()).toBe(1_000);
    expect(revoke(null).events).toEqual([]);
    const last = revoke(0);
    expect(last.events.map((event) => event.type)).toEqual(['LeaseReclaimed']);
    expect(last.answer).toMatchObject({ kind: 'lease', replayed: false, lease: { reason: 'revoked' } });
  });

  it('lets the holder release during the grace', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 1 });
    pool.when('Revoke', { leaseId: lease.leaseId, reason: null, graceMs: 5_000 });
    pool.release(lease);
    expect(pool.state.ended.get(lease.leaseId)?.reason).toBeNull();
    expect(pool.events('EndNoticed', { leaseIds: [lease.leaseId] })).toEqual([]);
  });
});

describe('a clock gap', () => {
  it('gives every lease at least a renewal interval, and takes nothing from one that has more', () => {
    const pool = new Spec();
    const short = pool.granted('a', { cpu: 1 }, { ttlMs: 3_000 });
    const long = pool.granted('b', { cpu: 1 }, { ttlMs: 90_000 });
    pool.now += 20_000;
    expect(pool.events('ObserveClockGap', { gapMs: 19_000, afterToken: 0 })).toEqual([
      'ClockGapObserved',
      'LeasesRenewed',
    ]);
    expect(pool.state.leases.get(short.leaseId)?.expiresAt).toBe(pool.now + 1_000);
    expect(pool.state.leases.get(long.leaseId)?.expiresAt).toBe(pool.now + 70_000);
  });

  it('dates nothing before what was there: the log does not go back', () => {
    const pool = new Spec();
    pool.granted('a', { cpu: 1 });
    pool.now -= 3_600_000;
    expect(pool.granted('b', { cpu: 1 }).grantedAt).toBe(pool.now + 3_600_000);
  });
});
