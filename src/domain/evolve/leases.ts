import type { ReclaimReason } from '../../model/events.ts';
import type { Demand } from '../dimensions.ts';
import { MAX_ENDED_BYTES } from '../ledger/ended-leases.ts';
import { addEntry, dropEntry, type Journal, put, putEntry } from '../ledger/journal.ts';
import type { LeaseTerms } from '../ledger/lease-terms.ts';
import { isOverAt } from '../placement.ts';
import { admits, tiersOf } from '../queue/queue.ts';
import { LeaseRecord, type PoolState, tierNamed } from '../state.ts';
import type { EventOf } from './event.ts';
import { ImpossibleHistory } from './impossible.ts';
import { forgetGrant } from './keys.ts';
import { removeWaiting } from './requests.ts';

export function foldGranted(
  state: PoolState,
  event: EventOf<'LeaseGranted'>,
  journal: Journal | undefined,
): LeaseRecord {
  const { data } = event;
  const { leaseId } = data;
  if (data.token !== state.lastToken + 1)
    throw new ImpossibleHistory(event, `token ${data.token} does not follow ${state.lastToken}`);
  const waited = state.waiting.size > 0 && state.waiting.has(leaseId);
  if (waited) leaveForGrant(state, event, journal);
  const lease = LeaseRecord.granted(data, state.terms.of(data, state.numbered), event.at, event.revision);
  hold(state, event, lease.terms, 1, journal);
  if (isTooMuch(state, lease.terms.demand)) throw new ImpossibleHistory(event, 'grants more than there is');
  journal?.note(state.leases, 'added', lease);
  state.leases.add(lease);
  if (lease.name !== null && !waited) takeName(state, event, lease.name, journal);
  journal?.note(state, 'lastToken', state.lastToken);
  state.lastToken = data.token;
  return lease;
}

/** A waiter has had its name since it queued. That no two leases have one id shows when they are asked for by it (`LiveLeases`). */
function takeName(state: PoolState, event: EventOf<'LeaseGranted'>, name: string, journal: Journal | undefined): void {
  if (state.names.has(name)) throw new ImpossibleHistory(event, `${name} is in use`);
  addEntry(journal, state.names, name, event.data.leaseId);
}

function leaveForGrant(state: PoolState, event: EventOf<'LeaseGranted'>, journal: Journal | undefined): void {
  const waiter = state.waiting.get(event.data.leaseId)!;
  const waits = tiersOf(state, waiter).map(({ name }) => name);
  if (waiter.request.id !== event.data.request.id || !waits.includes(event.data.tier))
    throw new ImpossibleHistory(event, `grants what waits as ${waiter.request.id} in ${waits.join(', ')}`);
  removeWaiting(state, event.data.leaseId, journal);
}

/** Once it is held, before it stands among the leases. */
function isTooMuch(state: PoolState, { dimensions }: Demand): boolean {
  for (let i = 0; i < dimensions.length; i++) if (isOverAt(state, dimensions[i]!)) return true;
  return state.leases.size >= state.config.maxPoolSize;
}

/** Takes amounts from the tier, the pool and the owner (sign 1), or gives them back (-1). */
function hold(
  state: PoolState,
  event: EventOf<'LeaseGranted' | 'LeaseReleased' | 'LeaseReclaimed'>,
  { tier: name, demand, request }: LeaseTerms,
  sign: 1 | -1,
  journal: Journal | undefined,
): void {
  const tier = tierNamed(state, name);
  if (tier === undefined) throw new ImpossibleHistory(event, `there is no tier ${name}`);
  if (sign === 1 && !admits(tier)) throw new ImpossibleHistory(event, `tier ${name} admits nothing`);
  tier.allocated.add(journal, demand, sign);
  state.allocated.add(journal, demand, sign);
  const { owners, holdings } = state;
  const held = holdings === null ? owners.get(request.owner) : holdings.of(request.owner, owners, journal);
  held?.add(journal, demand, sign);
  journal?.note(tier, 'leases', tier.leases);
  tier.leases += sign;
}

function leaseOf(
  state: PoolState,
  event: EventOf<'LeaseReleased' | 'LeaseReclaimed' | 'RevocationNoticed'>,
): LeaseRecord {
  const { leaseId, token } = event.data;
  const lease = state.leases.withToken(token);
  if (lease === undefined || lease.leaseId !== leaseId)
    throw new ImpossibleHistory(event, `there is no live lease ${leaseId} with token ${token}`);
  return lease;
}

export function foldRenewed(state: PoolState, event: EventOf<'LeasesRenewed'>, journal: Journal | undefined): void {
  for (const renewal of event.data.renewals) {
    const held = state.leases.get(renewal.leaseId);
    if (held === undefined) throw new ImpossibleHistory(event, `there is no live lease ${renewal.leaseId}`);
    const lease = state.leases.own(held);
    if (lease.noticeEndsAt !== null && renewal.expiresAt > lease.noticeEndsAt)
      throw new ImpossibleHistory(event, `${renewal.leaseId} outlives its notice`);
    put(journal, lease, 'ttlMs', renewal.ttlMs);
    state.leases.move(lease, renewal.expiresAt, journal);
    put(journal, lease, 'revision', event.revision);
  }
}

export const foldReleased = (
  state: PoolState,
  event: EventOf<'LeaseReleased'>,
  journal: Journal | undefined,
): LeaseRecord => end(state, event, null, journal);

export const foldReclaimed = (
  state: PoolState,
  event: EventOf<'LeaseReclaimed'>,
  journal: Journal | undefined,
): LeaseRecord => end(state, event, event.data.reason, journal);

function end(
  state: PoolState,
  event: EventOf<'LeaseReleased' | 'LeaseReclaimed'>,
  reason: ReclaimReason | null,
  journal: Journal | undefined,
): LeaseRecord {
  const lease = leaseOf(state, event);
  hold(state, event, lease.terms, -1, journal);
  journal?.note(state.leases, 'dropped', lease);
  state.leases.drop(lease);
  state.freed += 1;
  if (lease.name !== null) dropEntry(journal, state.names, lease.name, lease.leaseId);
  journal?.note(state.ended, 'added', undefined);
  state.ended.add(lease, event.at, reason, event.revision);
  forget(state, event.at, journal);
  return lease;
}

/** Ended leases and their keys stay answerable for a time, up to a number and up to a sum of bytes, whichever is least; all are told by events alone. */
function forget(state: PoolState, at: number, journal: Journal | undefined): void {
  const { ended } = state;
  const { retentionMs, maxEntries } = state.config.idempotency;
  const isTooMany = (): boolean => ended.size > maxEntries || ended.bytes > MAX_ENDED_BYTES;
  while (ended.size > 0 && (isTooMany() || at - ended.oldestEndedAt > retentionMs)) {
    if (state.keys.size > 0) forgetKey(state, ended.nth(ended.first).lease, journal);
    journal?.note(ended, 'forgotten', undefined);
    ended.forgetFirst(journal !== undefined);
  }
}

const forgetKey = (state: PoolState, lease: LeaseRecord, journal: Journal | undefined): void =>
  forgetGrant(state, lease.owner, lease.idempotencyKey, lease.leaseId, journal);

export function foldNoticed(state: PoolState, event: EventOf<'RevocationNoticed'>, journal: Journal | undefined): void {
  const lease = state.leases.own(leaseOf(state, event));
  if (lease.noticeEndsAt !== null && event.data.endsAt >= lease.noticeEndsAt)
    throw new ImpossibleHistory(event, `${lease.leaseId} is noticed already, to end at ${lease.noticeEndsAt}`);
  put(journal, lease, 'noticeEndsAt', event.data.endsAt);
  put(journal, lease, 'noticeReason', event.data.reason);
  put(journal, lease, 'noticeDetail', event.data.detail);
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
  const demand = state.numbered.demand(event.data.amounts);
  tier.quarantined.add(journal, demand, 1);
  state.quarantined.add(journal, demand, 1);
  putEntry(journal, state.quarantine, event.data.leaseId, event.data);
}

export function foldQuarantineEnded(
  state: PoolState,
  event: EventOf<'QuarantineEnded'>,
  journal: Journal | undefined,
): void {
  const held = state.quarantine.get(event.data.leaseId);
  const tier = held === undefined ? undefined : tierNamed(state, held.tier);
  if (held === undefined || tier === undefined || held.tier !== event.data.tier)
    throw new ImpossibleHistory(event, `${event.data.leaseId} is not in quarantine in tier ${event.data.tier}`);
  const demand = state.numbered.demand(held.amounts);
  tier.quarantined.add(journal, demand, -1);
  state.quarantined.add(journal, demand, -1);
  dropEntry(journal, state.quarantine, event.data.leaseId);
  state.freed += 1;
}
