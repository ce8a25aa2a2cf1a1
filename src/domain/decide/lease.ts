import type { CommandData, CommandOf } from '../../model/commands.ts';
import type { EventData, ReclaimReason } from '../../model/events.ts';
import { renewalIntervalMs } from '../../model/renewal.ts';
import type { EndedLease, LeaseRecord, PoolState } from '../state.ts';
import type { Answer } from './answer.ts';
import { DONE } from './answer.ts';
import type { Decision } from './decision.ts';
import { refuse } from './refuse.ts';

export const fenced = (decision: Decision, { lease, reason, revision }: EndedLease): Answer =>
  refuse(decision, 'FENCED', `lease ${lease.leaseId} has ended: ${reason ?? 'released'}`, {
    reason: reason ?? 'released',
    revision,
  });

const wrongToken = (decision: Decision, lease: LeaseRecord, token: number): Answer =>
  refuse(decision, 'FENCED', `${token} is not the token of lease ${lease.leaseId}`, {
    reason: 'token',
    revision: lease.revision,
  });

export const unknown = (decision: Decision, leaseId: string): Answer =>
  refuse(decision, 'NOT_FOUND', `there is no lease ${leaseId}, or it ended too long ago`);

/** A lease that has ended and is still answerable; the fold forgets it with the next end, but its time may be over before that. */
function endedOf({ state, at }: Decision, leaseId: string): EndedLease | undefined {
  const ended = state.ended.get(leaseId);
  return ended === undefined || at - ended.endedAt > state.config.idempotency.retentionMs ? undefined : ended;
}

/** A lease that is held under this token, or the answer that says why not. */
function held(decision: Decision, leaseId: string, token: number): LeaseRecord | Answer {
  const { leases } = decision.state;
  const held = leases.withToken(token);
  if (held?.leaseId === leaseId) return held;
  const other = leases.get(leaseId);
  if (other !== undefined) return wrongToken(decision, other, token);
  const ended = endedOf(decision, leaseId);
  return ended === undefined ? unknown(decision, leaseId) : fenced(decision, ended);
}

/** The refusal if the lease stands at another revision than the caller knows it at. */
function changed(
  decision: Decision,
  { leaseId, revision }: LeaseRecord,
  allowed?: readonly number[],
): Answer | undefined {
  if (allowed === undefined || allowed.includes(revision)) return undefined;
  const message = `lease ${leaseId} stands at revision ${revision}; allowed: ${allowed.join(', ') || 'none'}`;
  return refuse(decision, 'REVISION_MISMATCH', message, { revision });
}

export function release(decision: Decision, { data }: CommandOf<'Release'>): Answer {
  const lease = held(decision, data.leaseId, data.token);
  if ('kind' in lease) return releasedBefore(decision, data) ?? lease;
  const mismatch = changed(decision, lease, data.ifRevision);
  if (mismatch !== undefined) return mismatch;
  decision.emit('LeaseReleased', { leaseId: lease.leaseId, token: lease.token, cause: data.cause });
  return ended(decision, lease, null);
}

/** The lease as it has just ended. */
const ended = (decision: Decision, lease: LeaseRecord, reason: ReclaimReason | null): Answer => ({
  kind: 'lease',
  lease: { lease, endedAt: decision.at, reason, revision: decision.state.revision },
  replayed: false,
});

/** The answer to a second release of the same lease and token: the same as to the first. */
function releasedBefore(decision: Decision, { leaseId, token }: CommandData['Release']): Answer | undefined {
  const ended = endedOf(decision, leaseId);
  if (ended === undefined || ended.reason !== null || ended.lease.token !== token) return undefined;
  return { kind: 'lease', lease: ended, replayed: true };
}

export function renew(decision: Decision, { data }: CommandOf<'Renew'>): Answer {
  const lease = held(decision, data.leaseId, data.token);
  if ('kind' in lease) return lease;
  const mismatch = changed(decision, lease, data.ifRevision);
  if (mismatch !== undefined) return mismatch;
  const { minTtlMs, maxTtlMs } = decision.state.config.leases;
  const ttlMs = data.ttlMs ?? lease.ttlMs;
  if (ttlMs < minTtlMs || ttlMs > maxTtlMs) {
    const allowed = `${minTtlMs} to ${maxTtlMs}`;
    return refuse(decision, 'INVALID_REQUEST', `ttlMs: ${ttlMs} is not allowed; allowed: ${allowed}`, {
      errors: [{ path: 'ttlMs', value: ttlMs, allowed }],
    });
  }
  const expiresAt = Math.min(decision.at + ttlMs, lease.noticeEndsAt ?? Number.POSITIVE_INFINITY);
  decision.emit('LeasesRenewed', { renewals: [{ leaseId: lease.leaseId, ttlMs, expiresAt }], cause: 'holder' });
  return { kind: 'lease', lease, replayed: false };
}

/** Notice and grace, then the end. Asked for again it may leave less grace than there is, never more. */
export function revoke(decision: Decision, { data }: CommandOf<'Revoke'>): Answer {
  const lease = decision.state.leases.get(data.leaseId);
  if (lease === undefined) {
    const ended = endedOf(decision, data.leaseId);
    return ended === undefined ? unknown(decision, data.leaseId) : fenced(decision, ended);
  }
  const mismatch = changed(decision, lease, data.ifRevision);
  if (mismatch !== undefined) return mismatch;
  const graceMs = data.graceMs ?? decision.state.config.leases.graceMs;
  if (graceMs === 0) {
    reclaim(decision, lease, 'revoked', data.reason);
    return { kind: 'lease', lease: decision.state.ended.get(lease.leaseId)!, replayed: false };
  }
  const endsAt = decision.at + graceMs;
  if (lease.noticeEndsAt !== null && lease.noticeEndsAt <= endsAt) return { kind: 'lease', lease, replayed: true };
  const { leaseId, token } = lease;
  decision.emit('RevocationNoticed', { leaseId, token, reason: 'revoked', detail: data.reason, endsAt });
  return { kind: 'lease', lease, replayed: false };
}

/** Ends a lease that its holder did not give back. Its capacity may be kept back for a while, lest the holder still uses it. */
export function reclaim(decision: Decision, lease: LeaseRecord, reason: ReclaimReason, detail: string | null): void {
  const { quarantineMs } = decision.state.config.leases;
  const { leaseId, token, tier, amounts } = lease;
  decision.emit('LeaseReclaimed', { leaseId, token, reason, detail });
  if (quarantineMs > 0)
    decision.emit('QuarantineStarted', { leaseId, tier, amounts, until: decision.at + quarantineMs });
}

/** Only deadlines that still stand: a renewal committed before makes the lease live on. */
export function reclaimExpired(decision: Decision, { data }: CommandOf<'ReclaimExpired'>): Answer {
  for (const due of data.leases) {
    const lease = decision.state.leases.get(due.leaseId);
    if (lease !== undefined && lease.expiresAt === due.expiresAt) reclaim(decision, lease, 'expired', null);
  }
  return DONE;
}

export function endNoticed(decision: Decision, { data }: CommandOf<'EndNoticed'>): Answer {
  for (const leaseId of data.leaseIds) {
    const lease = decision.state.leases.get(leaseId);
    if (lease !== undefined && lease.noticeEndsAt !== null)
      reclaim(decision, lease, lease.noticeReason ?? 'revoked', lease.noticeDetail);
  }
  return DONE;
}

export function endQuarantine(decision: Decision, { data }: CommandOf<'EndQuarantine'>): Answer {
  for (const leaseId of data.leaseIds) {
    const held = decision.state.quarantine.get(leaseId);
    if (held !== undefined) decision.emit('QuarantineEnded', { leaseId, tier: held.tier });
  }
  return DONE;
}

type Renewal = EventData['LeasesRenewed']['renewals'][number];

/** So many leases one command looks at for those that would run out too soon. */
const LOOKED_AT = 32_768;
/** So many renewals take about the room of one event. */
const RENEWALS_AN_EVENT = 16;

/** In parts, in the order of the grants: the first says how many leases would have run out too soon. */
export function observeClockGap(decision: Decision, { data }: CommandOf<'ObserveClockGap'>, writerId: string): Answer {
  const { state, at } = decision;
  let { gapMs, afterToken } = data;
  if (afterToken === 0) decision.emit('ClockGapObserved', { writerId, gapMs, extendedLeases: countShort(state, at) });
  const most = Math.max(1, decision.room * RENEWALS_AN_EVENT);
  const renewals: Renewal[] = [];
  let left = LOOKED_AT;
  for (const lease of state.leases.after(afterToken)) {
    if (renewals.length === most || left-- === 0) {
      decision.follow({ type: 'ObserveClockGap', data: { gapMs, afterToken } });
      break;
    }
    if (isShort(lease, at))
      renewals.push({ leaseId: lease.leaseId, ttlMs: lease.ttlMs, expiresAt: at + renewalIntervalMs(lease.ttlMs) });
    afterToken = lease.token;
  }
  if (renewals.length > 0) decision.emit('LeasesRenewed', { renewals, cause: 'clockGap' });
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
