import { type EndedLease, type LeaseRecord, nthEnded, type PoolState } from '../domain/state.ts';
import { leaseView } from '../domain/views.ts';
import { invalid, PoolError } from '../model/errors.ts';
import type { RecordedPoolEvent } from '../model/events.ts';
import type { LeaseFilter, Page } from '../model/reading.ts';
import type { LeaseView } from '../model/views.ts';
import { GrantOrder } from './grant-order.ts';
import { pageBounds } from './page.ts';
import type { Projection } from './projection.ts';

type KeptLease = LeaseRecord | EndedLease;

const STATES: readonly LeaseView['state'][] = ['active', 'released', 'reclaimed'];
/** Forgotten leases are swept out of an order when they are more than the kept ones and these. */
const SLACK = 1_024;

/**
 * The leases that are kept, live and ended, in the order of their grants. The leases themselves are the state's; this
 * adds the order that pages need, twice: of all, and of the live ones, which many ended ones would bury.
 */
export class LeasesProjection implements Projection {
  readonly name = 'leases';
  readonly #all = new GrantOrder();
  readonly #live = new GrantOrder();

  apply(event: RecordedPoolEvent, before: PoolState): void {
    if (event.type !== 'LeaseGranted') return;
    const { leases, ended } = before;
    if (this.#live.size > 2 * leases.size + SLACK) this.#live.prune((id) => leases.has(id));
    if (this.#all.size > 2 * (leases.size + ended.size) + SLACK)
      this.#all.prune((id) => leases.has(id) || ended.has(id));
    this.#all.add(event.data.token, event.data.leaseId);
    this.#live.add(event.data.token, event.data.leaseId);
  }

  /** By grant, oldest first. The cursor is the token of the last lease of the page before. */
  list(state: PoolState, filter: LeaseFilter): Page<LeaseView> {
    const { after = 0, limit } = pageBounds(filter);
    if (filter.state !== undefined && !STATES.includes(filter.state))
      throw invalid([{ path: 'state', value: filter.state, allowed: STATES.join(', ') }]);
    const order = filter.state === 'active' ? this.#live : this.#all;
    const items: LeaseView[] = [];
    for (const leaseId of order.after(after)) {
      const kept = state.leases.get(leaseId) ?? state.ended.get(leaseId);
      if (kept === undefined || !isAskedFor(kept, filter)) continue;
      if (items.length === limit) return { items, next: String(items.at(-1)!.token) };
      items.push(leaseView(kept));
    }
    return { items, next: null };
  }

  reset(): void {
    this.#all.clear();
    this.#live.clear();
  }

  save(): null {
    return null;
  }

  load(_saved: unknown, state: PoolState): void {
    this.reset();
    const ended = [...state.ended.values()].map(({ lease }) => lease);
    for (const { token, leaseId } of [...ended, ...state.leases.values()].sort(byToken)) this.#all.add(token, leaseId);
    for (const { token, leaseId } of [...state.leases.values()].sort(byToken)) this.#live.add(token, leaseId);
  }
}

const byToken = (a: LeaseRecord, b: LeaseRecord): number => a.token - b.token;

function isAskedFor(kept: KeptLease, filter: LeaseFilter): boolean {
  const lease = 'lease' in kept ? kept.lease : kept;
  return (
    (filter.state === undefined || stateOf(kept) === filter.state) &&
    (filter.owner === undefined || lease.request.owner === filter.owner) &&
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
  (state.leases.get(leaseId) ?? state.ended.get(leaseId)?.lease ?? state.waiting.get(leaseId))?.request.owner;

/** The lease or waiting request that goes, or last went, by the caller's name; undefined if none is kept. */
export function leaseIdOf(state: PoolState, requestId: string): string | undefined {
  const present = state.names.get(requestId);
  if (present !== undefined) return present;
  for (let end = state.endedNext - 1; end >= state.endedFirst; end--) {
    const { lease } = nthEnded(state, end);
    if (lease.request.id === requestId) return lease.leaseId;
  }
  return undefined;
}
