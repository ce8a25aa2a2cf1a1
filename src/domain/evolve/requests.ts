import { dropEntry, type Journal, put, putEntry } from '../ledger/journal.ts';
import { couldGrant } from '../plan.ts';
import { kindOf } from '../queue/arrivals.ts';
import { WaitingList } from '../queue/waiting-list.ts';
import { leaseNamed, type PoolState, type TierState, tierNamed, type WaitingRecord } from '../state.ts';
import { areSameRanks, type TierRules } from '../tier-rules.ts';
import type { EventOf } from './event.ts';
import { ImpossibleHistory } from './impossible.ts';
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
  for (const tier of state.tiers) if (couldGrant(state, tier, record)) tier.waiting.put('came', record, journal);
  state.arrivals.put('came', record, journal);
  putEntry(journal, state.waiting, leaseId, record);
  if (request.id !== leaseId) putEntry(journal, state.names, request.id, leaseId);
}

/** Which kinds of waiters stand in each tier, by its name. */
export function standing(state: PoolState): ReadonlyMap<string, string> {
  const kinds = [...state.arrivals.kinds()];
  const inTier = (tier: TierState) => kinds.filter(({ sample }) => couldGrant(state, tier, sample));
  return new Map(
    state.tiers.map((tier) => [
      tier.name,
      inTier(tier)
        .map(({ name }) => name)
        .join('\n'),
    ]),
  );
}

/**
 * Where everyone waits, and in what order, once tiers and classes, sizes or ageing have changed. `stood`: as it was `standing`
 * before; `rules`: of each tier, as they were. Where neither has changed, the queue is as it was.
 */
export function queueAnew(
  state: PoolState,
  stood: ReadonlyMap<string, string>,
  rules: ReadonlyMap<string, TierRules>,
  journal: Journal | undefined,
): void {
  const stands = standing(state);
  for (const tier of state.tiers) {
    const before = rules.get(tier.name);
    const isSame = before !== undefined && stood.get(tier.name) === stands.get(tier.name);
    if (isSame && areSameRanks(before, tier.rules)) continue;
    put(journal, tier, 'waiting', isSame ? tier.waiting.under(tier.rules) : listAnew(state, tier));
  }
}

function listAnew(state: PoolState, tier: TierState): WaitingList {
  const waiting = state.waiting.size === 0 ? [] : [...state.arrivals].filter(kindsIn(state, tier));
  return WaitingList.of(tier.rules, state.numbered, waiting);
}

/** Whether the tier could grant a waiter, asked once of each kind. */
function kindsIn(state: PoolState, tier: TierState): (record: WaitingRecord) => boolean {
  const known = new Map<string, boolean>();
  for (const { name, sample } of state.arrivals.kinds()) known.set(name, couldGrant(state, tier, sample));
  return (record) => known.get(kindOf(record))!;
}

export function removeWaiting(state: PoolState, leaseId: string, journal: Journal | undefined): void {
  const record = state.waiting.get(leaseId)!;
  for (const tier of state.tiers) {
    if (tier.waiting.includes(record)) tier.waiting.put('went', record, journal);
  }
  state.arrivals.put('went', record, journal);
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
