import { type Amounts, amountIn } from '../../model/values/amounts.ts';
import { fitsDemand, roomIn } from '../placement.ts';
import { couldGrant } from '../plan.ts';
import type { PoolState, TierState, WaitingRecord } from '../state.ts';
import { beforeIn, frontOf, LOOKED_AT } from './front.ts';
import { type Ranked, rankBy } from './waiting-list.ts';

/** In the tier's queue; see `rankBy`. */
export const rankIn = ({ rules }: TierState, request: Ranked): number => rankBy(rules, request);

const waitsIn = (tier: TierState, request: WaitingRecord): boolean => tier.waiting.includes(request);

/** The tiers that could ever grant it, in their order; none if the pool has become too small for it. */
export const tiersOf = (state: PoolState, request: WaitingRecord): TierState[] =>
  state.tiers.filter((tier) => waitsIn(tier, request));

/** Nobody waits for a tier that drains, unless another of his tiers does not. */
export const drains = ({ mode: { admission } }: TierState): boolean =>
  admission === 'draining' || admission === 'drained';

/** The tiers in the order in which a waiter is at home in one of his: open ones, then those that do not drain. */
function homes({ tiers }: PoolState): readonly TierState[] {
  const open = tiers.filter(({ mode }) => mode.admission === 'open');
  const cordoned = tiers.filter(({ mode }) => mode.admission === 'cordoned');
  return [...open, ...cordoned, ...tiers.filter(drains)];
}

/** Finds the one of its tiers in which a waiter is shown and counted. */
export function homesOf(state: PoolState): (request: WaitingRecord) => TierState {
  const order = homes(state);
  return (request) => order.find((tier) => waitsIn(tier, request)) ?? state.tiers.at(-1)!;
}

export const homeOf = (state: PoolState, request: WaitingRecord): TierState => homesOf(state)(request);

/** How many are at home in the tier. Those of one kind stand in the same tiers. */
export function countAtHome(state: PoolState, tier: TierState): number {
  const order = homes(state);
  const before = order.slice(0, order.indexOf(tier)).filter(({ waiting }) => waiting.length > 0);
  if (before.length === 0) return tier.waiting.length;
  let count = 0;
  for (const { sample, count: alike } of state.arrivals.kinds())
    if (couldGrant(state, tier, sample) && !before.some((other) => couldGrant(state, other, sample))) count += alike;
  return count;
}

/** A tier grants only while it is open and holds no more than it may. */
export const admits = (tier: TierState): boolean =>
  tier.mode.admission === 'open' && tier.mode.load !== 'overcommitted';

/** The one waiter of a tier that may be granted next: the first that fits, in a strict tier the first of all. */
export function firstThatFits(state: PoolState, tier: TierState): WaitingRecord | undefined {
  const depth = tier.rules.queue.policy === 'strict' ? 1 : LOOKED_AT;
  return frontOf(state, tier).alike.find(({ before, demand }) => before < depth && fitsDemand(state, tier, demand))
    ?.first;
}

/** A waiter as those see it that are to spare it: where it waits, and the least that it wants there. */
export interface Waiter {
  readonly tier: TierState;
  readonly least: Amounts;
}

/**
 * The admissible waiters of the tier that stand before a request, of each that want the same one; null if one of them bars it: it fits, so that
 * its turn comes first, or the tier is strict. The others lack something, and the request may pass them as far as it
 * spares them (`spared`). So no request is ever granted past a waiter that is admissible and fits.
 */
export function waitersAhead(state: PoolState, tier: TierState, self: Ranked): readonly Waiter[] | null {
  const front = frontOf(state, tier);
  const ahead = beforeIn(front, tier, self);
  if (ahead > (tier.rules.queue.policy === 'strict' ? 0 : LOOKED_AT)) return null;
  const waiters: Waiter[] = [];
  for (const { before, demand, least } of front.alike) {
    if (before >= ahead) break;
    if (fitsDemand(state, tier, demand)) return null;
    waiters.push({ tier, least });
  }
  return waiters;
}

/**
 * What can be taken of one dimension without making any of these waiters start later: nothing of what one of them lacks,
 * and of the rest what leaves each of them what it wants.
 */
export function spared(state: PoolState, waiters: readonly Waiter[], dimension: string): number {
  let most = Number.POSITIVE_INFINITY;
  for (const { tier, least } of waiters) {
    const wanted = amountIn(least, dimension);
    if (wanted > 0) most = Math.min(most, roomIn(state, tier, dimension) - wanted);
  }
  return Math.max(0, most);
}

/** Whether anyone else waits in another tier that admits. */
export function waitsElsewhere(state: PoolState, tier: TierState, self: string): boolean {
  for (const other of state.tiers)
    if (other !== tier && admits(other) && other.waiting.some(({ leaseId }) => leaseId !== self)) return true;
  return false;
}
