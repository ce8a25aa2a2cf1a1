import { type Amounts, amountIn } from '../model/amounts.ts';
import { borrowedPart, fits, roomIn } from './placement.ts';
import { leastOf } from './plan.ts';
import { quotaLack } from './quota.ts';
import type { PoolState, TierState, WaitingRecord } from './state.ts';

/** What the place in a queue depends on. */
export type Ranked = Pick<WaitingRecord, 'leaseId' | 'priority' | 'queuedAt'>;

/**
 * The order of a tier's waiters. Priority with linear ageing, as one number that only a change of the configuration changes: the
 * moment of queueing less weight x the tier's ageingMs. A request with weight p is passed by a later one of weight q only within
 * (q - p) x ageingMs of its own queueing, which bounds starvation: after (highest weight - p) x ageingMs nobody comes before it
 * any more, and who comes behind it cannot delay it (`waitersAhead`, ADR 7).
 */
export const rankIn = ({ rules }: TierState, { priority, queuedAt }: Ranked): number =>
  queuedAt - (rules.leadMs.get(priority) ?? 0);

/** Equal ranks in the order of their lease ids, which ascend with time. */
export function isBefore(tier: TierState, a: Ranked, b: Ranked): boolean {
  const [rank, other] = [rankIn(tier, a), rankIn(tier, b)];
  return rank < other || (rank === other && a.leaseId < b.leaseId);
}

/** Where in the tier's queue the request stands, or would; by binary search. */
export function placeOf(tier: TierState, request: Ranked): number {
  const { waiting } = tier;
  let low = 0;
  let high = waiting.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(tier, waiting[middle]!, request)) low = middle + 1;
    else high = middle;
  }
  return low;
}

const waitsIn = (tier: TierState, request: WaitingRecord): boolean =>
  tier.waiting[placeOf(tier, request)]?.leaseId === request.leaseId;

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

/** The one of its tiers in which a waiter is shown and counted. */
export const homeOf = (state: PoolState, request: WaitingRecord): TierState =>
  homes(state).find((tier) => waitsIn(tier, request)) ?? state.tiers.at(-1)!;

/** How many are at home in the tier. */
export function countAtHome(state: PoolState, tier: TierState): number {
  const order = homes(state);
  const before = order.slice(0, order.indexOf(tier)).filter(({ waiting }) => waiting.length > 0);
  if (before.length === 0) return tier.waiting.length;
  return tier.waiting.filter((waiter) => !before.some((other) => waitsIn(other, waiter))).length;
}

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
  const depth = tier.rules.queue.policy === 'strict' ? 1 : LOOKED_AT;
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
 * The admissible waiters of the tier that stand before a request; null if one of them bars it: it fits, so that
 * its turn comes first, or the tier is strict. The others lack something, and the request may pass them as far as it
 * spares them (`spared`). So no request is ever granted past a waiter that is admissible and fits.
 */
export function waitersAhead(state: PoolState, tier: TierState, self: Ranked): readonly WaitingRecord[] | null {
  const ahead: WaitingRecord[] = [];
  const depth = tier.rules.queue.policy === 'strict' ? 0 : LOOKED_AT;
  for (const waiter of tier.waiting) {
    if (!isBefore(tier, waiter, self)) break;
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
