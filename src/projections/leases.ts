import type { EndedLease, LeaseRecord, PoolState } from '../domain/state.ts';
import { leaseState, leaseView } from '../domain/views.ts';
import { invalid, PoolError } from '../model/errors.ts';
import type { LeaseFilter, Page } from '../model/reading.ts';
import { LEASE_STATES, type LeaseView } from '../model/views.ts';
import { pageBounds } from './page.ts';

type KeptLease = LeaseRecord | EndedLease;

/** So many leases a page looks at, at most: a filter that matches few has short pages, and still a bound to each. */
const LOOKED_AT = 5_000;

/**
 * The leases that are kept, live and ended, by grant, oldest first. The cursor is the token of the last lease that was looked at:
 * tokens only rise, so a page neither skips nor repeats, whatever was granted, ended or forgotten meanwhile. A page costs the same
 * wherever it begins; it may be short, and even empty, and yet have a next one.
 */
export function listLeases(state: PoolState, filter: LeaseFilter): Page<LeaseView> {
  const { after = 0, limit } = pageBounds(filter);
  if (filter.state !== undefined && !LEASE_STATES.includes(filter.state))
    throw invalid([{ path: 'state', value: filter.state, allowed: LEASE_STATES.join(', ') }]);
  const items: LeaseView[] = [];
  let looked = 0;
  let last = after;
  for (const kept of keptAfter(state, after, filter.state)) {
    if (looked++ === LOOKED_AT) return { items, next: String(last) };
    if (isAskedFor(kept, filter)) {
      if (items.length === limit) return { items, next: String(last) };
      items.push(leaseView(kept));
    }
    last = tokenOf(kept);
  }
  return { items, next: null };
}

const tokenOf = (kept: KeptLease): number => ('lease' in kept ? kept.lease.token : kept.token);

function keptAfter(state: PoolState, token: number, only: LeaseFilter['state']): Iterable<KeptLease> {
  if (only === 'active') return state.leases.after(token);
  return only === undefined ? allAfter(state, token) : state.ended.after(token);
}

/** Live and ended ones, both in the order of their grants. */
function* allAfter(state: PoolState, token: number): Generator<KeptLease> {
  const live = state.leases.after(token);
  let next = live.next();
  for (const ended of state.ended.after(token)) {
    for (; next.done !== true && next.value.token < ended.lease.token; next = live.next()) yield next.value;
    yield ended;
  }
  for (; next.done !== true; next = live.next()) yield next.value;
}

function isAskedFor(kept: KeptLease, filter: LeaseFilter): boolean {
  const lease = 'lease' in kept ? kept.lease : kept;
  return (
    (filter.state === undefined || leaseState(kept) === filter.state) &&
    (filter.owner === undefined || lease.owner === filter.owner) &&
    (filter.tier === undefined || lease.tier === filter.tier) &&
    (filter.priority === undefined || lease.priority === filter.priority)
  );
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
