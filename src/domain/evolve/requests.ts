import { ImpossibleHistory } from '../impossible.ts';
import { dropEntry, type Journal, put, putEntry } from '../journal.ts';
import { couldGrant } from '../plan.ts';
import { isBefore, placeOf } from '../queue.ts';
import { leaseNamed, type PoolState, tierNamed, type WaitingRecord } from '../state.ts';
import type { EventOf } from './event.ts';
import { forgetGrant } from './keys.ts';

export function foldQueued(state: PoolState, event: EventOf<'RequestQueued'>, journal: Journal | undefined): void {
  const { tier: name, ...data } = event.data;
  const { leaseId, request } = data;
  if (leaseNamed(state, request.id) !== undefined || state.leases.has(leaseId) || state.waiting.has(leaseId))
    throw new ImpossibleHistory(event, `${request.id} or ${leaseId} is in use`);
  const record: WaitingRecord = { ...data, queuedAt: event.at, revision: event.revision };
  const home = tierNamed(state, name);
  if (home === undefined || !couldGrant(state, home, record))
    throw new ImpossibleHistory(event, `there is no tier ${name} that could grant it`);
  for (const tier of state.tiers)
    if (couldGrant(state, tier, record))
      put(journal, tier, 'waiting', tier.waiting.toSpliced(placeOf(tier, record), 0, record));
  putEntry(journal, state.waiting, leaseId, record);
  if (request.id !== leaseId) putEntry(journal, state.names, request.id, leaseId);
}

/** Where everyone waits, and in what order, once tiers and classes, sizes or ageing have changed. */
export function queueAnew(state: PoolState, journal: Journal | undefined): void {
  if (state.waiting.size === 0) return;
  for (const tier of state.tiers) {
    const waiting = [...state.waiting.values()].filter((record) => couldGrant(state, tier, record));
    put(
      journal,
      tier,
      'waiting',
      waiting.sort((a, b) => (isBefore(tier, a, b) ? -1 : 1)),
    );
  }
}

export function removeWaiting(state: PoolState, leaseId: string, journal: Journal | undefined): void {
  const record = state.waiting.get(leaseId)!;
  for (const tier of state.tiers) {
    const at = placeOf(tier, record);
    if (tier.waiting[at]?.leaseId === leaseId) put(journal, tier, 'waiting', tier.waiting.toSpliced(at, 1));
  }
  dropEntry(journal, state.waiting, leaseId);
}

function leave(
  state: PoolState,
  event: EventOf<'RequestCancelled' | 'RequestExpired'>,
  journal: Journal | undefined,
): void {
  const record = state.waiting.get(event.data.leaseId);
  if (record === undefined || record.request.id !== event.data.requestId)
    throw new ImpossibleHistory(event, `${event.data.leaseId} does not wait as ${event.data.requestId}`);
  removeWaiting(state, record.leaseId, journal);
  if (record.request.id !== record.leaseId) dropEntry(journal, state.names, record.request.id);
  forgetGrant(state, record.request.owner, record.request.idempotencyKey, record.leaseId, journal);
}

export const foldCancelled = (
  state: PoolState,
  event: EventOf<'RequestCancelled'>,
  journal: Journal | undefined,
): void => leave(state, event, journal);
export const foldExpired = (state: PoolState, event: EventOf<'RequestExpired'>, journal: Journal | undefined): void =>
  leave(state, event, journal);
