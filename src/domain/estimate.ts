import type { Amounts } from '../model/amounts.ts';
import { roomIn } from './placement.ts';
import { leastOf } from './plan.ts';
import type { PoolState, TierState } from './state.ts';

/** What the waiters so far want beyond what there is: by dimension, and of leases. */
interface Lack {
  readonly amounts: Record<string, number>;
  leases: number;
}

/**
 * When each of the tier's first `count` waiters would start, in ms from the last event: if every lease of the pool ran to
 * its end, nothing else came, and the waiters were served in their order. null = not even then. An estimate: it takes
 * what other tiers free to be within reach, and knows of no quota.
 */
export function startEstimates(state: PoolState, tier: TierState, count: number): readonly (number | null)[] {
  const ends = [...state.leases.values()].sort((a, b) => a.expiresAt - b.expiresAt);
  const lack = presentLack(state, tier);
  let ended = 0;
  return tier.waiting.slice(0, count).map(({ request }) => {
    add(lack, leastOf(request), 1);
    for (; isLacking(lack) && ended < ends.length; ended++) add(lack, ends[ended]!.amounts, -1);
    if (isLacking(lack)) return null;
    return ended === 0 ? 0 : Math.max(0, ends[ended - 1]!.expiresAt - state.at);
  });
}

function presentLack(state: PoolState, tier: TierState): Lack {
  const amounts: Record<string, number> = {};
  for (const dimension of state.dimensions) amounts[dimension] = -roomIn(state, tier, dimension);
  return { amounts, leases: state.leases.size - state.config.maxPoolSize };
}

function add(lack: Lack, amounts: Amounts, sign: 1 | -1): void {
  for (const dimension in amounts)
    lack.amounts[dimension] = (lack.amounts[dimension] ?? 0) + sign * amounts[dimension]!;
  lack.leases += sign;
}

function isLacking({ amounts, leases }: Lack): boolean {
  for (const dimension in amounts) if (amounts[dimension]! > 0) return true;
  return leases > 0;
}
