import type { LoadMode, TierTrigger } from '../../model/modes.ts';
import { isOverIn } from '../placement.ts';
import type { PoolState, TierState } from '../state.ts';

/** Allocated / nominal, the highest over the dimensions that the tier owns any of; above 1 while it borrows. */
export function loadRatio(tier: TierState): number {
  let highest = 0;
  const { nominal } = tier.limits;
  const { amounts } = tier.allocated;
  for (let dimension = 0; dimension < nominal.length; dimension++) {
    const own = nominal[dimension]!;
    const ratio = own > 0 ? amounts[dimension]! / own : 0;
    if (ratio > highest) highest = ratio;
  }
  return highest;
}

/** The pool holds more than is allocatable, in a dimension in which this tier is above its nominal (or no tier is). */
function isOver(state: PoolState, tier: TierState): boolean {
  for (const dimension of state.dimensions) {
    if (isOverIn(state, dimension) && holdsTooMuch(state, tier, dimension)) return true;
  }
  return false;
}

function holdsTooMuch(state: PoolState, tier: TierState, name: string): boolean {
  const dimension = state.numbered.find(name);
  const above = (other: TierState) => other.allocated.at(dimension) > (other.limits.nominal[dimension] ?? 0);
  return above(tier) || (tier.allocated.at(dimension) > 0 && !state.tiers.some(above));
}

/** Whether the tier has come to hold too much, or no longer does; undefined = neither. `poolOver`: the pool does. */
export function overTrigger(state: PoolState, tier: TierState, poolOver: boolean): TierTrigger | undefined {
  const over = poolOver && isOver(state, tier);
  if (over === (tier.mode.load === 'overcommitted')) return undefined;
  return over ? 'over' : 'over.ended';
}

/** What the load of a tier says happened to it; undefined = nothing. Overcommitment at once, the rest once in `dwellMs`. */
export function loadTrigger(state: PoolState, tier: TierState, at: number, poolOver: boolean): TierTrigger | undefined {
  const trigger = overTrigger(state, tier, poolOver);
  if (trigger !== undefined) return trigger;
  const { load } = tier.mode;
  if (load === 'overcommitted' || at - tier.loadChangedAt < state.config.load.dwellMs) return undefined;
  return ratioTrigger(state, load, loadRatio(tier));
}

function ratioTrigger(state: PoolState, load: LoadMode, ratio: number): TierTrigger | undefined {
  const { normalRatio, pressuredRatio, saturatedRatio } = state.config.load;
  if (ratio >= saturatedRatio) return load === 'saturated' ? undefined : 'usage.full';
  if (ratio >= pressuredRatio) return load === 'pressured' ? undefined : 'usage.high';
  return ratio < normalRatio && load !== 'normal' ? 'usage.low' : undefined;
}
