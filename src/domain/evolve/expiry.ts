import { type Journal, put } from '../journal.ts';
import type { PoolState } from '../state.ts';

/** A lease now runs out at `expiresAt`. */
export function sooner(state: PoolState, expiresAt: number, journal: Journal | undefined): void {
  if (state.soonestExpiry !== null && expiresAt < state.soonestExpiry) put(journal, state, 'soonestExpiry', expiresAt);
}

/** A lease no longer runs out at `expiresAt`: if that was the first to come, the next is looked for when somebody asks. */
export function noLonger(state: PoolState, expiresAt: number, journal: Journal | undefined): void {
  if (state.soonestExpiry === expiresAt) put(journal, state, 'soonestExpiry', null);
}

/** When the first of the live leases runs out, Infinity without any. Looked for once, and kept until that lease changes. */
export function soonestExpiry(state: PoolState, journal: Journal | undefined): number {
  if (state.soonestExpiry !== null) return state.soonestExpiry;
  let soonest = Number.POSITIVE_INFINITY;
  for (const lease of state.leases.values()) if (lease.expiresAt < soonest) soonest = lease.expiresAt;
  put(journal, state, 'soonestExpiry', soonest);
  return soonest;
}
