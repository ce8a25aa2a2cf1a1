import type { CommandData, CommandOf } from '../../model/commands.ts';
import type { EventData, ReclaimReason } from '../../model/events.ts';
import { renewalIntervalMs } from '../../model/renewal.ts';
import type { EndedLease, LeaseRecord, PoolState } from '../state.ts';
import type { Answer } from './answer.ts';
import { DONE } from './answer.ts';
import type { Turn } from './decision.ts';
import { refuse } from './refuse.ts';

export const fenced = (turn: Turn, { lease, reason, revision }: EndedLease): Answer =>
  refuse(turn, 'FENCED', `lease ${lease.leaseId} has ended: ${reason ?? 'released'}`, {
    reason: reason ?? 'released',
    revision,
  });

const wrongToken = (turn: Turn, lease: LeaseRecord, token: number): Answer =>
  refuse(turn, 'FENCED', `${token} is not the token of lease ${lease.leaseId}`, {
    reason: 'token',
    revision: lease.revision,
  });

export const unknown = (turn: Turn, leaseId: string): Answer =>
  refuse(turn, 'NOT_FOUND', `there is no lease ${leaseId}, or it ended too long ago`);

/** A lease that has ended and is still answerable; the fold forgets it with the next end, but its time may be over before that. */
function endedOf({ state, at }: Turn, leaseId: string): EndedLease | undefined {
  const ended = state.ended.get(leaseId);
  return ended === undefined || at - ended.endedAt > state.config.idempotency.retentionMs ? undefined : ended;
}

/** A lease that is held under this token, or the answer that says why not. */
function held(turn: Turn, leaseId: string, token: number): LeaseRecord | Answer {
  const { leases } = turn.state;
  const held = leases.withToken(token);
  if (held?.leaseId === leaseId) return held;
  const other = leases.get(leaseId);
  if (other !== undefined) return wrongToken(turn, other, token);
  const ended = endedOf(turn, leaseId);
  return ended === undefined ? unknown(turn, leaseId) : fenced(turn, ended);
}

/** The refusal if the lease stands at another revision than the caller knows it at. */
function changed(turn: Turn, { leaseId, revision }: LeaseRecord, allowed?: readonly number[]): Answer | undefined {
  if (allowed === undefined || allowed.includes(revision)) return undefined;
  const message = `lease ${leaseId} stands at revision ${revision}; allowed: ${allowed.join(', ') || 'none'}`;
  return refuse(turn, 'REVISION_MISMATCH', message, { revision });
}

export function release(turn: Turn, { data }: CommandOf<'Release'>): Answer {
  const lease = held(turn, data.leaseId, data.token);
  if ('kind' in lease) return releasedBefore(turn, data) ?? lease;
  const mismatch = changed(turn, lease, data.ifRevision);
  if (mismatch !== undefined) return mismatch;
  turn.emit('LeaseReleased', { leaseId: lease.leaseId, token: lease.token, cause: data.cause });
  return ended(turn, lease, null);
}

/** The lease as it has just ended. */
const ended = (turn: Turn, lease: LeaseRecord, reason: ReclaimReason | null): Answer => ({
  kind: 'lease',
  lease: { lease, endedAt: turn.at, reason, revision: turn.state.revision },
  replayed: false,
});

/** The answer to a second release of the same lease and token: the same as to the first. */
function releasedBefore(turn: Turn, { leaseId, token }: CommandData['Release']): Answer | undefined {
  const ended = endedOf(turn, leaseId);
  if (ended === undefined || ended.reason !== null || ended.lease.token !== token) return undefined;
  return { kind: 'lease', lease: ended, replayed: true };
}

export function renew(turn: Turn, { data }: CommandOf<'Renew'>): Answer {
  const lease = held(turn, data.leaseId, data.token);
  if ('kind' in lease) return lease;
  const mismatch = changed(turn, lease, data.ifRevision);
  if (mismatch !== undefined) return mismatch;
  const { minTtlMs, maxTtlMs } = turn.state.config.leases;
  const ttlMs = data.ttlMs ?? lease.ttlMs;
  if (ttlMs < minTtlMs || ttlMs > maxTtlMs) {
    const allowed = `${minTtlMs} to ${maxTtlMs}`;
    return refuse(turn, 'INVALID_REQUEST', `ttlMs: ${ttlMs} is not allowed; allowed: ${allowed}`, {
      errors: [{ path: 'ttlMs', value: ttlMs, allowed }],
    });
  }
  const expiresAt = Math.min(turn.at + ttlMs, lease.noticeEndsAt ?? Number.POSITIVE_INFINITY);
  turn.emit('LeasesRenewed', { renewals: [{ leaseId: lease.leaseId, ttlMs, expiresAt }], cause: 'holder' });
  return { kind: 'lease', lease, replayed: false };
}

/** Notice and grace, then the end. Asked for again it may leave less grace than there is, never more. */
export function revoke(turn: Turn, { data }: CommandOf<'Revoke'>): Answer {
  const lease = turn.state.leases.get(data.leaseId);
  if (lease === undefined) {
    const ended = endedOf(turn, data.leaseId);
    return ended === undefined ? unknown(turn, data.leaseId) : fenced(turn, ended);
  }
  const mismatch = changed(turn, lease, data.ifRevision);
  if (mismatch !== undefined) return mismatch;
  const graceMs = data.graceMs ?? turn.state.config.leases.graceMs;
  if (graceMs === 0) {
    reclaim(turn, lease, 'revoked', data.reason);
    return { kind: 'lease', lease: turn.state.ended.get(lease.leaseId)!, replayed: false };
  }
  const endsAt = turn.at + graceMs;
  if (lease.noticeEndsAt !== null && lease.noticeEndsAt <= endsAt) return { kind: 'lease', lease, replayed: true };
  const { leaseId, token } = lease;
  turn.emit('RevocationNoticed', { leaseId, token, reason: 'revoked', detail: data.reason, endsAt });
  return { kind: 'lease', lease, replayed: false };
}

/** Ends a lease that its holder did not give back. Its capacity may be kept back for a while, lest the holder still uses it. */
export function reclaim(turn: Turn, lease: LeaseRecord, reason: ReclaimReason, detail: string | null): void {
  const { quarantineMs } = turn.state.config.leases;
  const { leaseId, token, tier, amounts } = lease;
  turn.emit('LeaseReclaimed', { leaseId, token, reason, detail });
  if (quarantineMs > 0) turn.emit('QuarantineStarted', { leaseId, tier, amounts, until: turn.at + quarantineMs });
}

/** Only deadlines that still stand: a renewal committed before makes the lease live on. */
export function reclaimExpired(turn: Turn, { data }: CommandOf<'ReclaimExpired'>): Answer {
  for (const due of data.leases) {
    const lease = turn.state.leases.get(due.leaseId);
    if (lease !== undefined && lease.expiresAt === due.expiresAt) reclaim(turn, lease, 'expired', null);
  }
  return DONE;
}

export function endNoticed(turn: Turn, { data }: CommandOf<'EndNoticed'>): Answer {
  for (const leaseId of data.leaseIds) {
    const lease = turn.state.leases.get(leaseId);
    if (lease !== undefined && lease.noticeEndsAt !== null)
      reclaim(turn, lease, lease.noticeReason ?? 'revoked', lease.noticeDetail);
  }
  return DONE;
}

export function endQuarantine(turn: Turn, { data }: CommandOf<'EndQuarantine'>): Answer {
  for (const leaseId of data.leaseIds) {
    const held = turn.state.quarantine.get(leaseId);
    if (held !== undefined) turn.emit('QuarantineEnded', { leaseId, tier: held.tier });
  }
  return DONE;
}

type Renewal = EventData['LeasesRenewed']['renewals'][number];

/** So many leases one command looks at for those that would run out too soon. */
const LOOKED_AT = 32_768;
/** So many renewals take about the room of one event. */
const RENEWALS_AN_EVENT = 16;

/** In parts, in the order of the grants: the first says how many leases would have run out too soon. */
export function observeClockGap(turn: Turn, { data }: CommandOf<'ObserveClockGap'>, writerId: string): Answer {
  const { state, at } = turn;
  let { gapMs, afterToken } = data;
  if (afterToken === 0) turn.emit('ClockGapObserved', { writerId, gapMs, extendedLeases: countShort(state, at) });
  const most = Math.max(1, turn.room * RENEWALS_AN_EVENT);
  const renewals: Renewal[] = [];
  let left = LOOKED_AT;
  for (const lease of state.leases.after(afterToken)) {
    if (renewals.length === most || left-- === 0) {
      turn.follow({ type: 'ObserveClockGap', data: { gapMs, afterToken } });
      break;
    }
    if (isShort(lease, at))
      renewals.push({ leaseId: lease.leaseId, ttlMs: lease.ttlMs, expiresAt: at + renewalIntervalMs(lease.ttlMs) });
    afterToken = lease.token;
  }
  if (renewals.length > 0) turn.emit('LeasesRenewed', { renewals, cause: 'clockGap' });
  return DONE;
}

/** Whether the lease would run out before its holder's next renewal, though nobody has asked for it back. */
const isShort = ({ ttlMs, expiresAt, noticeEndsAt }: LeaseRecord, at: number): boolean =>
  noticeEndsAt === null && expiresAt < at + renewalIntervalMs(ttlMs);

function countShort({ leases }: PoolState, at: number): number {
  let count = 0;
  for (const lease of leases.values()) if (isShort(lease, at)) count += 1;
  return count;
}
