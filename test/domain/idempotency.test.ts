import { describe, expect, it } from 'vitest';
import type { Decided } from '../../src/domain/decide.ts';
import { MAX_KEYS_BYTES } from '../../src/domain/evolve/keys.ts';
import { evolve } from '../../src/domain/evolve.ts';
import { StatePacker, unpackState } from '../../src/domain/ledger/pack.ts';
import type { LeaseRecord } from '../../src/domain/state.ts';
import type { CommandData, CommandType } from '../../src/model/commands.ts';
import type { RecordedPoolEvent } from '../../src/model/events.ts';
import { checkLog } from '../../src/testing/check-log.ts';
import { refusalOf, Spec } from './spec.ts';

describe('the key of a cancellation', () => {
  it('answers the request as it stood, also after a restart, and leaves a later one of that name alone', () => {
    const pool = new Spec();
    pool.granted('full', { cpu: 10_000 });
    pool.queued('before', { cpu: 1 });
    pool.queued('a', { cpu: 1 });
    const first = pool.keyed('k', 'Cancel', { requestId: 'a' }).answer;
    expect(first).toMatchObject({ kind: 'cancelled', replayed: false, request: { requestId: 'a', position: 1 } });
    pool.queued('a', { cpu: 2 });
    const restarted = pool.restartedAt(unpackState(new StatePacker(pool.state).packed()));
    for (const each of [pool, restarted]) {
      const again = each.keyed('k', 'Cancel', { requestId: 'a' });
      expect(again).toMatchObject({ events: [], answer: { ...first, replayed: true } });
      expect(each.state.waiting.size).toBe(2);
    }
  });

  it('of which there is none is not remembered: a second cancellation finds nothing', () => {
    const pool = new Spec();
    pool.granted('full', { cpu: 10_000 });
    pool.queued('a', { cpu: 1 });
    expect(pool.when('Cancel', { requestId: 'a' }).events[0]?.data).not.toHaveProperty('asItStood');
    expect(refusalOf(pool.when('Cancel', { requestId: 'a' }).answer).code).toBe('NOT_FOUND');
  });
});

describe('the key of an allocate', () => {
  const keyed = { idempotencyKey: 'k', owner: 'ann' };

  it('answers the same lease as it now stands, and grants nothing again', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 1 }, keyed);
    pool.now += 1_000;
    pool.when('Renew', { leaseId: lease.leaseId, token: lease.token, ttlMs: null });
    const again = pool.ask('a', { cpu: 1 }, keyed);
    expect(again).toMatchObject({ kind: 'granted', replayed: true, lease: { token: 1, expiresAt: pool.now + 60_000 } });
    expect(pool.state.leases.size).toBe(1);
  });

  it('is bound to the body and to the owner', () => {
    const pool = new Spec();
    pool.granted('a', { cpu: 1 }, keyed);
    expect(pool.refused('a', { cpu: 2 }, keyed).code).toBe('IDEMPOTENCY_KEY_REUSED');
    pool.when('UncordonTier', { tier: 'main' });
    expect(pool.granted('b', { cpu: 2 }, { ...keyed, owner: 'bob' }).token).toBe(2);
  });

  it('answers FENCED once its lease has ended', () => {
    const pool = new Spec();
    pool.release(pool.granted('a', { cpu: 1 }, keyed));
    expect(pool.refused('a', { cpu: 1 }, keyed)).toMatchObject({ code: 'FENCED', reason: 'released' });
  });

  it('answers the place in the queue, and is free again when the request is cancelled', () => {
    const pool = new Spec();
    const first = pool.granted('full', { cpu: 10_000 });
    pool.queued('a', { cpu: 1 }, keyed);
    expect(pool.ask('a', { cpu: 1 }, { ...keyed, waitMs: 5 })).toMatchObject({ kind: 'queued', replayed: true });
    pool.when('Cancel', { requestId: 'a' });
    pool.release(first);
    expect(pool.granted('a', { cpu: 2 }, keyed).token).toBe(2);
  });

  it('stays with its lease for as long as that lives, and with its memory for the retention, also where nothing else happens', () => {
    const pool = new Spec({ idempotency: { retentionMs: 3_600_000 } });
    const ask = () => pool.ask('a', { cpu: 1 }, keyed);
    const lease = pool.granted('a', { cpu: 1 }, { ...keyed, ttlMs: null });
    pool.now += 7_200_000;
    expect(ask()).toMatchObject({ kind: 'granted', replayed: true });
    pool.release(lease);
    pool.now += 3_600_000;
    expect(refusalOf(ask()).code).toBe('FENCED');
    pool.now += 1;
    expect(ask()).toMatchObject({ kind: 'granted', replayed: false, lease: { token: 2 } });
    pool.release(pool.granted('b', { cpu: 1 }));
    expect(ask()).toMatchObject({ kind: 'granted', replayed: true, lease: { token: 2 } });
  });

  it('is not bound by a refusal', () => {
    const pool = new Spec();
    expect(pool.refused('a', { cpu: 10_001 }, keyed).code).toBe('NEVER_FITS');
    pool.granted('a', { cpu: 1 }, keyed);
  });

  it('is forgotten with its lease, after the retention or the number of entries', () => {
    const pool = new Spec({ idempotency: { retentionMs: 3_600_000, maxEntries: 100_000 } });
    const lease = pool.granted('a', { cpu: 1 }, keyed);
    pool.release(lease);
    pool.now += 3_600_001;
    pool.release(pool.granted('b', { cpu: 1 }));
    expect(pool.granted('a', { cpu: 2 }, keyed).token).toBe(3);
    expect(pool.release(lease)).toMatchObject({ kind: 'refused', refusal: { code: 'NOT_FOUND' } });
  });
});

type Asked = { [T in CommandType]: readonly [T, CommandData[T], other: CommandData[T]] }[CommandType];

/** A verb by what it does to a lease of a minute, and the same with another body. */
const VERBS: readonly [string, (lease: LeaseRecord) => Asked][] = [
  ['renew', ({ leaseId, token }) => ['Renew', { leaseId, token, ttlMs: 30_000 }, { leaseId, token, ttlMs: null }]],
  [
    'release',
    ({ leaseId, token }) => ['Release', { leaseId, token, cause: 'holder' }, { leaseId, token: 9, cause: 'holder' }],
  ],
  [
    'revoke',
    ({ leaseId }) => ['Revoke', { leaseId, reason: null, graceMs: 5_000 }, { leaseId, reason: null, graceMs: 0 }],
  ],
  ['cordon', () => ['CordonTier', { tier: 'main' }, { tier: 'gold' }]],
  ['drain', () => ['DrainTier', { tier: 'main', deadlineMs: 1_000 }, { tier: 'main', deadlineMs: 2_000 }]],
];

/** A pool with one lease of ann's, and a verb to repeat on it. */
function given(verb: (lease: LeaseRecord) => Asked): { pool: Spec; asked: Asked } {
  const pool = new Spec();
  return { pool, asked: verb(pool.granted('a', { cpu: 1 }, { owner: 'ann' })) };
}

const other = ([type, , data]: Asked) => [type, data, data] as unknown as Asked;
const codeOf = ({ answer }: Decided) => (answer.kind === 'refused' ? answer.refusal.code : null);
const again = (pool: Spec, [type, data]: Asked, key = 'k') => pool.keyed(key, type, data as never);

describe.each(VERBS)('the key of a %s', (_, verb) => {
  it('lets a repeat do nothing again, also on what was done since, and says so', () => {
    const { pool, asked } = given(verb);
    expect(again(pool, asked).answer).not.toHaveProperty('replayed', true);
    pool.now += 1_000;
    pool.when('UncordonTier', { tier: 'main' });
    const revision = pool.state.revision;
    expect(again(pool, asked)).toMatchObject({ events: [], answer: { replayed: true } });
    expect(pool.state.revision).toBe(revision);
  });

  it('is bound to the body and to the verb', () => {
    const { pool, asked } = given(verb);
    again(pool, asked);
    expect(codeOf(again(pool, other(asked)))).toBe('IDEMPOTENCY_KEY_REUSED');
    pool.when('UncordonTier', { tier: 'main' });
    expect(pool.granted('b', { cpu: 1 }, { owner: 'ann', idempotencyKey: 'k', tier: null }).token).toBe(2);
  });

  it('lies in the first event of its command, and so outlives a restart', () => {
    const { pool, asked } = given(verb);
    const before = pool.log.length;
    again(pool, asked);
    const caused = pool.log.slice(before);
    expect(caused.filter(({ metadata }) => metadata.key !== undefined)).toEqual([caused[0]]);
    expect(caused[0]?.metadata.key).toMatchObject({ key: 'k', verb: asked[0] });
    for (const state of [checkLog(pool.log), unpackState(new StatePacker(pool.state).packed())]) {
      const restarted = pool.restartedAt(state);
      expect(again(restarted, asked)).toMatchObject({ events: [], answer: { replayed: true } });
    }
  });

  it('is bound by no refusal', () => {
    const { pool, asked } = given(verb);
    const [type, data] = asked;
    const wrong = 'leaseId' in data ? { ...data, leaseId: 'none' } : { ...data, tier: 'none' };
    expect(pool.keyed('k', type, wrong as never).answer.kind).toBe('refused');
    expect(again(pool, asked).events.length).toBeGreaterThan(0);
  });

  it('is kept for the retention, or the last so many, whichever is less', () => {
    const { pool, asked } = given(verb);
    again(pool, asked);
    pool.now += 86_400_000;
    expect(codeOf(again(pool, other(asked)))).toBe('IDEMPOTENCY_KEY_REUSED');
    pool.now += 1;
    expect(codeOf(again(pool, other(asked)))).not.toBe('IDEMPOTENCY_KEY_REUSED');
  });
});

describe('the keys of what is about no lease', () => {
  it('are kept up to a number, the oldest goes first', () => {
    const pool = new Spec({ idempotency: { maxEntries: 2 } });
    const cordon = (key: string) => pool.keyed(key, 'CordonTier', { tier: 'main' }).events.length;
    for (const key of ['k1', 'k2', 'k3']) {
      expect(cordon(key)).toBe(1);
      pool.when('UncordonTier', { tier: 'main' });
    }
    expect([cordon('k3'), cordon('k2'), cordon('k1')]).toEqual([0, 0, 1]);
    expect(pool.state.keys.size).toBe(2);
    expect(unpackState(new StatePacker(pool.state).packed()).keysInOrder).toEqual(pool.state.keysInOrder);
  });

  it('are kept up to a sum of bytes too, with what they are to be answered with', () => {
    const pool = new Spec();
    pool.granted('full', { cpu: 10_000 });
    const requirements = { cpu: '9'.repeat(2 ** 20) }; // as in a log of before texts were limited
    const cancel = (key: string) => pool.keyed(key, 'Cancel', { requestId: 'a' }).answer;
    for (let n = 0; n < 32; n++) {
      pool.queued('a', { cpu: 1 }, { requirements });
      expect(cancel(`k${n}`)).toMatchObject({ kind: 'cancelled', replayed: false });
    }
    expect(pool.state.keys.size).toBe(31);
    expect(pool.state.keysBytes).toBeLessThanOrEqual(MAX_KEYS_BYTES);
    expect([cancel('k1').kind, cancel('k0').kind]).toEqual(['cancelled', 'refused']);
    expect(unpackState(new StatePacker(pool.state).packed()).keysBytes).toBe(pool.state.keysBytes);
  });

  it("are each actor's own", () => {
    const pool = new Spec();
    const cordon = { ...pool.command('CordonTier', { tier: 'main' }, 'k'), actor: 'eve' };
    pool.decide(cordon);
    pool.when('UncordonTier', { tier: 'main' });
    expect(pool.keyed('k', 'CordonTier', { tier: 'main' }).events).toHaveLength(1);
  });
});

describe('what a key was bound to', () => {
  it('is answered as it now stands: the lease, its end to whoever ended it, FENCED to whoever wants it still', () => {
    const pool = new Spec();
    const lease = pool.granted('a', { cpu: 1 });
    const { leaseId, token } = lease;
    pool.keyed('r', 'Renew', { leaseId, token, ttlMs: null });
    pool.keyed('v', 'Revoke', { leaseId, reason: null, graceMs: 5_000 });
    expect(pool.keyed('r', 'Renew', { leaseId, token, ttlMs: null }).answer).toMatchObject({
      kind: 'lease',
      replayed: true,
    });
    pool.when('EndNoticed', { leaseIds: [leaseId] });
    const revoked = pool.keyed('v', 'Revoke', { leaseId, reason: null, graceMs: 5_000 }).answer;
    expect(revoked).toMatchObject({ kind: 'lease', replayed: true, lease: { reason: 'revoked' } });
    const renewed = pool.keyed('r', 'Renew', { leaseId, token, ttlMs: null }).answer;
    expect(refusalOf(renewed)).toMatchObject({ code: 'FENCED', reason: 'revoked' });
  });

  it('is never what followed of itself: a waiter that is woken keeps the key that it came with', () => {
    const pool = new Spec();
    const full = pool.granted('full', { cpu: 10_000 });
    pool.queued('w', { cpu: 1 }, { idempotencyKey: 'w' });
    const { events } = pool.keyed('k', 'Release', { leaseId: full.leaseId, token: 1, cause: 'holder' });
    expect(events.map(({ type, metadata }) => [type, metadata.key?.key])).toContainEqual(['LeaseGranted', undefined]);
    expect(pool.ask('w', { cpu: 1 }, { idempotencyKey: 'w' })).toMatchObject({ kind: 'granted', replayed: true });
  });
});

describe('a log in which a key has two grants', () => {
  it('is impossible, while the first is kept', () => {
    const pool = new Spec();
    pool.granted('a', { cpu: 1 }, { idempotencyKey: 'k' });
    const { key } = pool.log.at(-1)!.metadata;
    pool.granted('b', { cpu: 1 });
    const event = { ...pool.log.at(-1)!, metadata: { ...pool.log.at(-1)!.metadata, key } } as RecordedPoolEvent;
    const state = checkLog(pool.log.slice(0, -1));
    expect(() => evolve(state, event)).toThrow('the key k of anonymous has its lease already');
  });
});
