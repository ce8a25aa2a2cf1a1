import { type Amounts, amountIn } from '../model/amounts.ts';
import type { PoolState, TierState } from './state.ts';

/** Of a tier's nominal, what no other tier may ever hold: nominal - lendingLimit (Kueue calls it the guaranteed quota). */
function guaranteedOf(tier: TierState, dimension: string): number {
  const { nominal, lendingLimit } = tier.sizing;
  return lendingLimit === null ? 0 : Math.max(0, amountIn(nominal, dimension) - amountIn(lendingLimit, dimension));
}

const takenOf = (tier: TierState, dimension: string): number =>
  amountIn(tier.allocated, dimension) + amountIn(tier.quarantined, dimension);

/** Whether the pool holds more than is allocatable in a dimension; only a fall of capacity may bring that about. */
export const isOverIn = (state: PoolState, dimension: string): boolean =>
  amountIn(state.allocated, dimension) + amountIn(state.quarantined, dimension) >
  amountIn(state.allocatable, dimension);

export function isOverallocated(state: PoolState): boolean {
  for (const dimension of state.dimensions) if (isOverIn(state, dimension)) return true;
  return false;
}

/** What is left of the pool after what other tiers hold, or keep for themselves alone. */
function reachable(state: PoolState, tier: TierState, dimension: string): number {
  let left = amountIn(state.allocatable, dimension) - takenOf(tier, dimension);
  for (const other of state.tiers) {
    if (other !== tier) left -= Math.max(takenOf(other, dimension), guaranteedOf(other, dimension));
  }
  return left;
}

/**
 * The most that the tier could be granted now in one dimension: what is free of the pool, never what others keep for
 * themselves, up to nominal + borrowingLimit. The cohort rule of Kueue with the whole pool as the cohort.
 */
export function roomIn(state: PoolState, tier: TierState, dimension: string): number {
  const { nominal, borrowingLimit } = tier.sizing;
  const reach = reachable(state, tier, dimension);
  if (borrowingLimit === null) return Math.max(0, reach);
  const limit = amountIn(nominal, dimension) + amountIn(borrowingLimit, dimension) - takenOf(tier, dimension);
  return Math.max(0, Math.min(reach, limit));
}

/** What the tier could be granted at most if nothing at all were held. */
export function ceilingIn(state: PoolState, tier: TierState, dimension: string): number {
  const { nominal, borrowingLimit } = tier.sizing;
  let reach = amountIn(state.allocatable, dimension);
  for (const other of state.tiers) if (other !== tier) reach -= guaranteedOf(other, dimension);
  const limit = borrowingLimit === null ? reach : amountIn(nominal, dimension) + amountIn(borrowingLimit, dimension);
  return Math.max(0, Math.min(reach, limit));
}

export function fits(state: PoolState, tier: TierState, amounts: Amounts): boolean {
  for (const dimension in amounts) {
    const amount = amountIn(amounts, dimension);
    if (amount > 0 && amount > roomIn(state, tier, dimension)) return false;
  }
  return state.leases.size < state.config.maxPoolSize;
}

/** What is missing for the amounts to fit, per dimension that lacks anything. */
export function shortfallOf(state: PoolState, tier: TierState, amounts: Amounts): Amounts {
  const missing: Record<string, number> = {};
  for (const dimension in amounts) {
    const lack = amountIn(amounts, dimension) - roomIn(state, tier, dimension);
    if (lack > 0) missing[dimension] = lack;
  }
  return missing;
}

/** What the tier does not hold yet of its own nominal. */
export const nominalLeftIn = (tier: TierState, dimension: string): number =>
  Math.max(0, amountIn(tier.sizing.nominal, dimension) - takenOf(tier, dimension));

/** The part of the amounts that lies above the tier's nominal; null if there is none. */
export function borrowedPart(tier: TierState, amounts: Amounts): Amounts | null {
  let part: Record<string, number> | null = null;
  for (const dimension in amounts) {
    const above = takenOf(tier, dimension) + amountIn(amounts, dimension) - amountIn(tier.sizing.nominal, dimension);
    const borrowed = Math.min(amountIn(amounts, dimension), above);
    if (borrowed > 0) {
      part ??= {};
      part[dimension] = borrowed;
    }
  }
  return part;
}

/** What the tier holds above its nominal, per dimension of the pool. */
export function borrowedOf(state: PoolState, tier: TierState): Amounts {
  return perDimension(state, (dimension) =>
    Math.max(0, takenOf(tier, dimension) - amountIn(tier.sizing.nominal, dimension)),
  );
}

/** What others hold of the tier's nominal: its unused nominal, as far as others' borrowing has used it up. */
export function lentOf(state: PoolState, tier: TierState): Amounts {
  return perDimension(state, (dimension) => {
    const unused = amountIn(tier.sizing.nominal, dimension) - takenOf(tier, dimension);
    return Math.max(0, unused - roomIn(state, tier, dimension));
  });
}

export function perDimension(state: PoolState, value: (dimension: string) => number): Amounts {
  const amounts: Record<string, number> = {};
  for (const dimension of state.dimensions) amounts[dimension] = value(dimension);
  return amounts;
}
