import { isPercentage, percentOf } from '../model/config/share.ts';
import { type Amounts, amountIn } from '../model/values/amounts.ts';
import { parseAmount } from '../model/values/units.ts';
import type { PoolState } from './state.ts';

/** The owner's limit in one dimension, in base units; undefined = none. */
function limitOf(state: PoolState, owner: string, dimension: string): number | undefined {
  const written = state.config.quotas[owner]?.[dimension];
  if (written === undefined) return undefined;
  return isPercentage(written)
    ? percentOf(written, amountIn(state.allocatable, dimension))
    : parseAmount(dimension, written);
}

/** How much more the owner may hold in one dimension; Infinity = its quota does not say. */
export function quotaRoomIn(state: PoolState, owner: string, dimension: string): number {
  if (!state.owners.has(owner)) return Number.POSITIVE_INFINITY;
  const limit = limitOf(state, owner, dimension) ?? Number.POSITIVE_INFINITY;
  return Math.max(0, limit - (state.owners.get(owner)?.of(dimension) ?? 0));
}

/** What the owner's quota lacks for these amounts on top of what it holds; null if it lacks nothing. */
export function quotaLack(state: PoolState, owner: string, amounts: Amounts): Amounts | null {
  const used = state.owners.size === 0 ? undefined : state.owners.get(owner);
  return used === undefined ? null : lackOf(state, owner, amounts, (dimension) => used.of(dimension));
}

/** The limits that these amounts alone exceed, so that they can never be granted; null if there are none. */
export function quotaCeiling(state: PoolState, owner: string, amounts: Amounts): Amounts | null {
  if (!state.owners.has(owner) || lackOf(state, owner, amounts, () => 0) === null) return null;
  const ceiling: Record<string, number> = {};
  for (const dimension in amounts) {
    const limit = limitOf(state, owner, dimension);
    if (limit !== undefined) ceiling[dimension] = limit;
  }
  return ceiling;
}

function lackOf(
  state: PoolState,
  owner: string,
  amounts: Amounts,
  used: (dimension: string) => number,
): Amounts | null {
  let lack: Record<string, number> | null = null;
  for (const dimension in amounts) {
    const limit = limitOf(state, owner, dimension);
    const amount = amountIn(amounts, dimension);
    const missing = limit === undefined || amount === 0 ? 0 : used(dimension) + amount - limit;
    if (missing > 0) {
      lack ??= {};
      lack[dimension] = missing;
    }
  }
  return lack;
}
