import type { Amounts } from '../../model/amounts.ts';
import type { ReclaimReason } from '../../model/events.ts';
import { ImpossibleHistory } from '../impossible.ts';
import { addEntry, dropEntry, type Journal, put, putEntry } from '../journal.ts';
import { type EndedLease, keyOf, type LeaseRecord, nthEnded, type PoolState, tierNamed } from '../state.ts';
import { addTo } from '../tally.ts';
import type { EventOf } from './event.ts';
import { noLonger, sooner } from './expiry.ts';
import { bindKey } from './keys.ts';
import { removeWaiting } from './requests.ts';

export function foldGranted(state: PoolState, event: EventOf<'LeaseGranted'>, journal: Journal | undefined): void {
  const { data } = event;
  if (data.token !== state.lastToken + 1)
    throw new ImpossibleHistory(event, `token ${data.token} does not follow ${state.lastToken}`);
  if (state.leases.has(data.leaseId)) throw new ImpossibleHistory(event, `lease ${data.leaseId} is granted twice`);
  if (state.waiting.has(data.leaseId)) removeWaiting(state, data.leaseId, journal);
  hold(state, event, data.tier, data.request.owner, data.amounts, 1, journal);
  addEntry(journal, state.leases, data.leaseId, recordOf(event));
  sooner(state, data.expiresAt, journal);
  putEntry(journal, state.names, data.request.id, data.leaseId);
  put(journal, state, 'lastToken', data.token);
  bindKey(state, data, journal);
}

const recordOf = ({ data, at, revision }: EventOf<'LeaseGranted'>): LeaseRecord => ({
  leaseId: data.leaseId,
  request: data.request,
  priority: data.priority,
  type: data.type,
  tier: data.tier,
  amounts: data.amounts,
  borrowed: data.borrowed,
  token: data.token,
  grantedAt: at,
  ttlMs: data.ttlMs,
  expiresAt: data.expiresAt,
  noticeEndsAt: null,
  noticeReason: null,
  revision,
});

/** Takes amounts from the tier, the pool and the owner (sign 1), or gives them back (-1). */
function hold(
  state: PoolState,
  event: EventOf<'LeaseGranted' | 'LeaseReleased' | 'LeaseReclaimed'>,
  tierName: string,
  owner: string,
  amounts: Amounts,
  sign: 1 | -1,
  journal: Journal | undefined,
): void {
  const tier = tierNamed(state, tierName);
  if (tier === undefined) throw new ImpossibleHistory(event, `there is no tier ${tierName}`);
  addTo(journal, tier.allocated, amounts, sign);
  addTo(journal, state.allocated, amounts, sign);
  const used = state.owners.get(owner);
  if (used !== undefined) addTo(journal, used, amounts, sign);
  put(journal, tier, 'leases', tier.leases + sign);
}

function leaseOf(
  state: PoolState,
  event: EventOf<'LeaseReleased' | 'LeaseReclaimed' | 'RevocationNoticed'>,
): LeaseRecord {
  const lease = state.leases.get(event.data.leaseId);
  if (lease === undefined) throw new ImpossibleHistory(event, `there is no live lease ${event.data.leaseId}`);
  if (lease.token !== event.data.token)
    throw new ImpossibleHistory(event, `token ${event.data.token} is not ${lease.token}`);
  return lease;
}

export function foldRenewed(state: PoolState, event: EventOf<'LeasesRenewed'>, journal: Journal | undefined): void {
  for (const renewal of event.data.renewals) {
    const lease = state.leases.get(renewal.leaseId);
    if (lease === undefined) throw new ImpossibleHistory(event, `there is no live lease ${renewal.leaseId}`);
    put(journal, lease, 'ttlMs', renewal.ttlMs);
    noLonger(state, lease.expiresAt, journal);
    put(journal, lease, 'expiresAt', renewal.expiresAt);
    sooner(state, renewal.expiresAt, journal);
    put(journal, lease, 'revision', event.revision);
  }
}

export const foldReleased = (state: PoolState, event: EventOf<'LeaseReleased'>, journal: Journal | undefined): void =>
  end(state, event, null, journal);

export const foldReclaimed = (state: PoolState, event: EventOf<'LeaseReclaimed'>, journal: Journal | undefined): void =>
  end(state, event, event.data.reason, journal);

function end(
  state: PoolState,
  event: EventOf<'LeaseReleased' | 'LeaseReclaimed'>,
  reason: ReclaimReason | null,
  journal: Journal | undefined,
): void {
  const lease = leaseOf(state, event);
  hold(state, event, lease.tier, lease.request.owner, lease.amounts, -1, journal);
  dropEntry(journal, state.leases, lease.leaseId, lease);
  noLonger(state, lease.expiresAt, journal);
  dropEntry(journal, state.names, lease.request.id, lease.leaseId);
  remember(state, { lease, endedAt: event.at, reason, revision: event.revision }, journal);
  forget(state, event.at, journal);
}

const FIRST_RING = 64;

function remember(state: PoolState, ended: EndedLease, journal: Journal | undefined): void {
  addEntry(journal, state.ended, ended.lease.leaseId, ended);
  if (state.endedNext - state.endedFirst === state.endedRing.length) put(journal, state, 'endedRing', widened(state));
  const ring = state.endedRing;
  const place = state.endedNext & (ring.length - 1);
  if (journal !== undefined) journal.note(ring, place, ring[place]);
  ring[place] = ended;
  put(journal, state, 'endedNext', state.endedNext + 1);
}

/** Twice as long; each ended lease at the place of its number. */
function widened(state: PoolState): EndedLease[] {
  const length = Math.max(FIRST_RING, state.endedRing.length * 2);
  const ring: EndedLease[] = new Array(length);
  for (let n = state.endedFirst; n < state.endedNext; n++) ring[n & (length - 1)] = nthEnded(state, n);
  return ring;
}

/** Ended leases and their keys stay answerable for a time and up to a number, whichever is less; both are told by events alone. */
function forget(state: PoolState, at: number, journal: Journal | undefined): void {
  const { retentionMs, maxEntries } = state.config.idempotency;
  while (state.endedFirst < state.endedNext) {
    const oldest = nthEnded(state, state.endedFirst);
    if (state.endedNext - state.endedFirst <= maxEntries && at - oldest.endedAt <= retentionMs) return;
    const { lease } = oldest;
    dropEntry(journal, state.ended, lease.leaseId, oldest);
    const { idempotencyKey, owner } = lease.request;
    if (idempotencyKey !== null) dropEntry(journal, state.keys, keyOf(owner, 'allocate', idempotencyKey));
    put(journal, state, 'endedFirst', state.endedFirst + 1);
  }
}

export function foldNoticed(state: PoolState, event: EventOf<'RevocationNoticed'>, journal: Journal | undefined): void {
  const lease = leaseOf(state, event);
  put(journal, lease, 'noticeEndsAt', event.data.endsAt);
  put(journal, lease, 'noticeReason', event.data.reason);
  put(journal, lease, 'revision', event.revision);
}

export function foldQuarantineStarted(
  state: PoolState,
  event: EventOf<'QuarantineStarted'>,
  journal: Journal | undefined,
): void {
  const tier = tierNamed(state, event.data.tier);
  if (tier === undefined || state.quarantine.has(event.data.leaseId))
    throw new ImpossibleHistory(event, 'no such tier, or quarantined twice');
  addTo(journal, tier.quarantined, event.data.amounts, 1);
  addTo(journal, state.quarantined, event.data.amounts, 1);
  putEntry(journal, state.quarantine, event.data.leaseId, event.data);
}

export function foldQuarantineEnded(
  state: PoolState,
  event: EventOf<'QuarantineEnded'>,
  journal: Journal | undefined,
): void {
  const held = state.quarantine.get(event.data.leaseId);
  const tier = held === undefined ? undefined : tierNamed(state, held.tier);
  if (held === undefined || tier === undefined)
    throw new ImpossibleHistory(event, `${event.data.leaseId} is not in quarantine`);
  addTo(journal, tier.quarantined, held.amounts, -1);
  addTo(journal, state.quarantined, held.amounts, -1);
  dropEntry(journal, state.quarantine, event.data.leaseId);
}
