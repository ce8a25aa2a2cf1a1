import { type Amounts, amountIn } from '../model/amounts.ts';
import { borrowedPart, fits, roomIn } from './placement.ts';
import { leastOf } from './plan.ts';
import { quotaLack } from './quota.ts';
import type { PoolState, TierState, WaitingRecord } from './state.ts';

/**
 * The order of waiters. Priority with linear ageing, as one number that never changes: the moment of queueing less
 * weight x ageingMs. A request with weight p is passed by a later one of weight q only within (q - p) x ageingMs of its
 * own queueing, which bounds starvation: after (highest weight - p) x ageingMs nobody comes before it any more, and who
 * comes behind it cannot delay it (`waitersAhead`, ADR 7).
 */
export const rankOf = (at: number, weight: number, ageingMs: number): number => at - weight * ageingMs;

/** A tier grants only while it is open and holds no more than it may. */
export const admits = (tier: TierState): boolean =>
  tier.mode.admission === 'open' && tier.mode.load !== 'overcommitted';

/** A waiter that its owner's quota keeps back never keeps others back. */
const isAdmissible = (state: PoolState, waiter: WaitingRecord): boolean =>
  quotaLack(state, waiter.request.owner, leastOf(waiter.request)) === null;

/** So many waiters of a tier are looked at; those that their owner's quota keeps back do not count. Nobody passes more. */
const LOOKED_AT = 128;

/** The one waiter of a tier that may be granted next: the first that fits, in a strict tier the first of all. */
export function firstThatFits(state: PoolState, tier: TierState): WaitingRecord | undefined {
  const depth = isStrict(state, tier) ? 1 : LOOKED_AT;
  let looked = 0;
  for (const waiter of tier.waiting) {
    if (!isAdmissible(state, waiter)) continue;
    if (fits(state, tier, leastOf(waiter.request))) return waiter;
    looked += 1;
    if (looked === depth) return undefined;
  }
  return undefined;
}

/**
 * The admissible waiters of the tier that stand before a request of `rank`; null if one of them bars it: it fits, so that
 * its turn comes first, or the tier is strict. The others lack something, and the request may pass them as far as it
 * spares them (`spared`). So no request is ever granted past a waiter that is admissible and fits.
 */
export function waitersAhead(
  state: PoolState,
  tier: TierState,
  self: string,
  rank: number,
): readonly WaitingRecord[] | null {
  const ahead: WaitingRecord[] = [];
  const depth = isStrict(state, tier) ? 0 : LOOKED_AT;
  for (const waiter of tier.waiting) {
    if (waiter.leaseId === self || waiter.rank > rank) break;
    if (!isAdmissible(state, waiter)) continue;
    if (ahead.length === depth || fits(state, tier, leastOf(waiter.request))) return null;
    ahead.push(waiter);
  }
  return ahead;
}

/** A waiter as those see it that are to spare it: where it waits, and the least that it wants there. */
export interface Waiter {
  readonly tier: TierState;
  readonly least: Amounts;
}

export const waiterIn = (tier: TierState, { request }: WaitingRecord): Waiter => ({ tier, least: leastOf(request) });

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

/** Who else waits in other tiers for what lies inside the nominal there: a borrower never takes that. */
export function waitingLenders(state: PoolState, borrower: TierState, self: string): readonly Waiter[] {
  const lenders: Waiter[] = [];
  for (const tier of state.tiers) {
    if (tier === borrower || !admits(tier)) continue;
    let looked = 0;
    for (const record of tier.waiting) {
      if (looked === LOOKED_AT) break;
      if (record.leaseId === self || !isAdmissible(state, record)) continue;
      looked += 1;
      const waiter = waiterIn(tier, record);
      if (borrowedPart(tier, waiter.least) === null) lenders.push(waiter);
    }
  }
  return lenders;
}

/** Whether anyone else waits in another tier that admits. */
export function waitsElsewhere(state: PoolState, tier: TierState, self: string): boolean {
  for (const other of state.tiers)
    if (other !== tier && admits(other) && other.waiting.some(({ leaseId }) => leaseId !== self)) return true;
  return false;
}

const isStrict = (state: PoolState, tier: TierState): boolean =>
  state.config.tiers.find(({ name }) => name === tier.name)?.queue.policy === 'strict';
