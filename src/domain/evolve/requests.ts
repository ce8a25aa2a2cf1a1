import { ImpossibleHistory } from '../impossible.ts';
import { dropEntry, type Journal, put, putEntry } from '../journal.ts';
import { leaseNamed, type PoolState, type TierState, tierNamed, type WaitingRecord } from '../state.ts';
import type { EventOf } from './event.ts';
import { forgetGrant } from './keys.ts';

/** One for all who wait in one tier only. */
const NOWHERE: readonly string[] = [];

export function foldQueued(state: PoolState, event: EventOf<'RequestQueued'>, journal: Journal | undefined): void {
  const { leaseId, tier, elsewhere } = event.data;
  for (const name of [tier, ...elsewhere])
    if (tierNamed(state, name) === undefined) throw new ImpossibleHistory(event, `there is no tier ${name}`);
  if (leaseNamed(state, event.data.request.id) !== undefined || state.leases.has(leaseId) || state.waiting.has(leaseId))
    throw new ImpossibleHistory(event, `${event.data.request.id} or ${leaseId} is in use`);
  const others = elsewhere.length === 0 ? NOWHERE : elsewhere;
  const record: WaitingRecord = { ...event.data, elsewhere: others, queuedAt: event.at, revision: event.revision };
  for (const each of state.tiers)
    if (mayGrant(each, record))
      put(journal, each, 'waiting', each.waiting.toSpliced(placeOf(each.waiting, record), 0, record));
  putEntry(journal, state.waiting, record.leaseId, record);
  if (record.request.id !== record.leaseId) putEntry(journal, state.names, record.request.id, record.leaseId);
}

const mayGrant = ({ name }: TierState, { tier, elsewhere }: WaitingRecord): boolean =>
  name === tier || elsewhere.includes(name);

/** Binary search for where a rank stands; equal ranks in the order of their lease ids, which ascend with time. */
function placeOf(waiting: readonly WaitingRecord[], record: WaitingRecord): number {
  let low = 0;
  let high = waiting.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const other = waiting[middle]!;
    if (other.rank < record.rank || (other.rank === record.rank && other.leaseId < record.leaseId)) low = middle + 1;
    else high = middle;
  }
  return low;
}

export function removeWaiting(state: PoolState, leaseId: string, journal: Journal | undefined): void {
  const record = state.waiting.get(leaseId)!;
  for (const tier of state.tiers) {
    const at = mayGrant(tier, record) ? placeOf(tier.waiting, record) : -1;
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
