import { type Amounts, amountIn } from '../model/values/amounts.ts';
import type { Demand } from './dimensions.ts';
import { claimOf, takenOf } from './queue/claims.ts';
import type { PoolState, TierState } from './state.ts';

/** Whether the pool holds more than is allocatable in a dimension; only a fall of capacity may bring that about. */
export const isOverAt = (state: PoolState, dimension: number): boolean =>
  state.allocated.at(dimension) + state.quarantined.at(dimension) > (state.whole[dimension] ?? 0);

/** As `isOverAt`, by the dimension's name. */
export const isOverIn = (state: PoolState, name: string): boolean => isOverAt(state, state.numbered.find(name));

/** Nearly always a look at all numbers says no, dimensions that the pool no longer has included. */
export const isOverallocated = (state: PoolState): boolean =>
  mayBeOver(state) && state.dimensions.some((name) => isOverIn(state, name));

function mayBeOver({ whole, allocated, quarantined }: PoolState): boolean {
  for (let dimension = 0; dimension < whole.length; dimension++)
    if (allocated.at(dimension) + quarantined.at(dimension) > whole[dimension]!) return true;
  return false;
}

/**
 * The most that the tier could be granted now in one dimension, by its number: what is free of the pool, never what others
 * hold or keep for themselves alone, up to nominal + borrowingLimit. The cohort rule of Kueue with the whole pool as the cohort.
 */
function roomAt(state: PoolState, tier: TierState, dimension: number): number {
  const taken = takenOf(tier, dimension);
  const others = state.claims.claimedAt(state, dimension) - claimOf(tier, dimension);
  const reach = (state.whole[dimension] ?? 0) - taken - others;
  return Math.max(0, Math.min(reach, (tier.limits.most[dimension] ?? 0) - taken));
}

/** As `roomAt`, by the dimension's name. */
export const roomIn = (state: PoolState, tier: TierState, dimension: string): number =>
  roomAt(state, tier, state.numbered.find(dimension));

/** What the tier could be granted at most if nothing at all were held. */
export function ceilingIn(state: PoolState, tier: TierState, name: string): number {
  const dimension = state.numbered.find(name);
  const others = state.claims.guaranteedAt(state, dimension) - (tier.limits.guaranteed[dimension] ?? 0);
  const reach = (state.whole[dimension] ?? 0) - others;
  return Math.max(0, Math.min(reach, tier.limits.most[dimension] ?? 0));
}

export const fits = (state: PoolState, tier: TierState, of: Amounts): boolean =>
  fitsDemand(state, tier, state.numbered.demand(of));

export function fitsDemand(state: PoolState, tier: TierState, { dimensions, amounts }: Demand): boolean {
  for (let i = 0; i < dimensions.length; i++) if (amounts[i]! > roomAt(state, tier, dimensions[i]!)) return false;
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
export const nominalLeftIn = (tier: TierState, dimension: string): number => Math.max(0, unusedOf(tier, dimension));

/** Whether all of it lies inside the tier's nominal, so that nothing is borrowed for it. */
export function isInsideNominal(tier: TierState, { dimensions, amounts }: Demand): boolean {
  for (let i = 0; i < dimensions.length; i++)
    if (takenOf(tier, dimensions[i]!) + amounts[i]! > (tier.limits.nominal[dimensions[i]!] ?? 0)) return false;
  return true;
}

/**
 * The part of the amounts that lies above the tier's nominal; null if there is none. What the tier lost into quarantine is not
 * free for others, so it counts as held here.
 */
export function borrowedPart(tier: TierState, of: Amounts): Amounts | null {
  let part: Record<string, number> | null = null;
  const { names } = tier.allocated.dimensions;
  const { dimensions, amounts } = tier.allocated.dimensions.demand(of);
  for (let i = 0; i < dimensions.length; i++) {
    const [dimension, amount] = [dimensions[i]!, amounts[i]!];
    const above = takenOf(tier, dimension) + amount - (tier.limits.nominal[dimension] ?? 0);
    if (above <= 0) continue;
    part ??= {};
    part[names[dimension]!] = Math.min(amount, above);
  }
  return part;
}

/** max(0, allocated - nominal), per dimension of the pool: what is in quarantine is not granted, so it is not borrowed. */
export function borrowedOf(state: PoolState, { allocated, limits }: TierState): Amounts {
  return perDimension(state, (name) => {
    const dimension = state.numbered.find(name);
    return Math.max(0, allocated.at(dimension) - (limits.nominal[dimension] ?? 0));
  });
}

/** What others hold of the tier's nominal: its unused nominal, as far as others' borrowing has used it up. */
export function lentOf(state: PoolState, tier: TierState): Amounts {
  return perDimension(state, (name) => Math.max(0, unusedOf(tier, name) - roomIn(state, tier, name)));
}

/** Of its nominal, what it does not hold; below zero while it borrows. */
function unusedOf(tier: TierState, name: string): number {
  const dimension = tier.allocated.dimensions.find(name);
  return (tier.limits.nominal[dimension] ?? 0) - takenOf(tier, dimension);
}

export function perDimension(state: PoolState, value: (dimension: string) => number): Amounts {
  const amounts: Record<string, number> = {};
  for (const dimension of state.dimensions) amounts[dimension] = value(dimension);
  return amounts;
}
