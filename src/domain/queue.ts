import { type Amounts, amountIn } from '../model/amounts.ts';
import { borrowedPart, fits, roomIn } from './placement.ts';
import { leastOf } from './plan.ts';
import { quotaLack } from './quota.ts';
import type { PoolState, TierState, WaitingRecord } from './state.ts';

/**
 * The order of waiters. Priority with linear ageing, as one number that never changes: the moment of queueing less
 * weight x ageingMs. A request with weight p is passed by a later one of weight q only within (q - p) x ageingMs of its
 * own queueing, which bounds starvation by (highest weight - p) x ageingMs.
 */
export const rankOf = (at: number, weight: number, ageingMs: number): number => at - weight * ageingMs;

/** A tier grants only while it is open and holds no more than it may. */
export const admits = (tier: TierState): boolean =>
  tier.mode.admission === 'open' && tier.mode.load !== 'overcommitted';

/** A waiter that its owner's quota keeps back never keeps others back. */
export const isAdmissible = (state: PoolState, waiter: WaitingRecord): boolean =>
  quotaLack(state, waiter.request.owner, leastOf(waiter.request)) === null;

/** The first waiter of a tier that its own quota does not keep back. */
export function headOf(state: PoolState, tier: TierState): WaitingRecord | undefined {
  return tier.waiting.find((waiter) => isAdmissible(state, waiter));
}

/**
 * Granting `amounts` cannot make `head` start later: it takes nothing of what the head lacks, and leaves enough of
 * what the head does not lack.
 */
function cannotDelay(state: PoolState, headTier: TierState, head: WaitingRecord, amounts: Amounts): boolean {
  const wanted = leastOf(head.request);
  for (const dimension in wanted) {
    const taken = amountIn(amounts, dimension);
    if (taken === 0 || wanted[dimension] === 0) continue;
    if (roomIn(state, headTier, dimension) - taken < amountIn(wanted, dimension)) return false;
  }
  return state.leases.size + 1 < state.config.maxPoolSize;
}

/** Whether a request of `rank` may be granted these amounts in the tier now, as far as those who wait there are concerned. */
export function mayPass(state: PoolState, tier: TierState, self: string, rank: number, amounts: Amounts): boolean {
  if (tier.waiting.length > 0) {
    const head = headOf(state, tier);
    const ahead = head !== undefined && head.leaseId !== self && head.rank <= rank;
    if (ahead && strictIn(state, tier)) return false;
    if (ahead && (fits(state, tier, leastOf(head.request)) || !cannotDelay(state, tier, head, amounts))) return false;
  }
  return borrowedPart(tier, amounts) === null || leavesLenders(state, tier, amounts);
}

const strictIn = (state: PoolState, tier: TierState): boolean =>
  state.config.tiers.find(({ name }) => name === tier.name)?.queue.policy === 'strict';

/** A borrower never takes what the head of another tier, inside that tier's nominal, waits for. */
function leavesLenders(state: PoolState, borrower: TierState, amounts: Amounts): boolean {
  for (const tier of state.tiers) {
    if (tier === borrower || tier.waiting.length === 0 || !admits(tier)) continue;
    const head = headOf(state, tier);
    if (head === undefined || borrowedPart(tier, leastOf(head.request)) !== null) continue;
    if (!cannotDelay(state, tier, head, amounts)) return false;
  }
  return true;
}
