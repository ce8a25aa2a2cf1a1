import type { EndedLease, LeaseRecord, PoolState } from '../domain/state.ts';
import { leaseView } from '../domain/views.ts';
import { invalid, PoolError } from '../model/errors.ts';
import type { LeaseFilter, Page } from '../model/reading.ts';
import type { LeaseView } from '../model/views.ts';
import { pageBounds } from './page.ts';

type KeptLease = LeaseRecord | EndedLease;

const STATES: readonly LeaseView['state'][] = ['active', 'released', 'reclaimed'];

/**
 * The leases that are kept, live and ended, by grant, oldest first. The cursor is the token of the last lease of the page
 * before: tokens only rise, so a page neither skips nor repeats, whatever was granted, ended or forgotten meanwhile.
 */
export function listLeases(state: PoolState, filter: LeaseFilter): Page<LeaseView> {
  const { after = 0, limit } = pageBounds(filter);
  if (filter.state !== undefined && !STATES.includes(filter.state))
    throw invalid([{ path: 'state', value: filter.state, allowed: STATES.join(', ') }]);
  const items: LeaseView[] = [];
  for (const kept of filter.state === 'active' ? liveAfter(state, after) : allAfter(state, after)) {
    if (!isAskedFor(kept, filter)) continue;
    if (items.length === limit) return { items, next: String(items.at(-1)!.token) };
    items.push(leaseView(kept));
  }
  return { items, next: null };
}

const liveAfter = (state: PoolState, token: number): LeaseRecord[] =>
  [...state.leases.values()].filter((lease) => lease.token > token).sort((a, b) => a.token - b.token);

/** Both in the order of their grants; ended ones are made objects only when they are come to. */
function* allAfter(state: PoolState, token: number): Generator<KeptLease> {
  const live = liveAfter(state, token);
  let next = 0;
  for (const n of state.ended.grantedAfter(token)) {
    const ended = state.ended.nth(n);
    while (next < live.length && live[next]!.token < ended.lease.token) yield live[next++]!;
    yield ended;
  }
  yield* live.slice(next);
}

function isAskedFor(kept: KeptLease, filter: LeaseFilter): boolean {
  const lease = 'lease' in kept ? kept.lease : kept;
  return (
    (filter.state === undefined || stateOf(kept) === filter.state) &&
    (filter.owner === undefined || lease.owner === filter.owner) &&
    (filter.tier === undefined || lease.tier === filter.tier) &&
    (filter.priority === undefined || lease.priority === filter.priority)
  );
}

function stateOf(kept: KeptLease): LeaseView['state'] {
  if (!('lease' in kept)) return 'active';
  return kept.reason === null ? 'released' : 'reclaimed';
}

/** The lease as it stands, or as it ended. Throws NOT_FOUND if there is none of that id, or it is no longer kept. */
export function readLease(state: PoolState, leaseId: string): LeaseView {
  const kept = state.leases.get(leaseId) ?? state.ended.get(leaseId);
  if (kept === undefined)
    throw new PoolError('NOT_FOUND', `leaseId: there is no lease ${leaseId}, or it ended too long ago to be kept`, {
      details: { leaseId },
    });
  return leaseView(kept);
}

/** Whose lease or waiting request it is, as long as it is kept. */
export const ownerOf = (state: PoolState, leaseId: string): string | undefined =>
  (state.leases.get(leaseId) ?? state.ended.get(leaseId)?.lease)?.owner ?? state.waiting.get(leaseId)?.request.owner;
