import { roomIn } from '../placement.ts';
import type { PoolState, TierState } from '../state.ts';

/** What is wanted beyond what there is: by the numbers of the dimensions, and of leases. */
interface Lack {
  readonly amounts: readonly number[];
  readonly leases: number;
}

/**
 * When the waiter before whom `position` others stand in the tier would start, in ms from the last event: if every lease of the
 * pool ran to its end, nothing else came, and the waiters were served in their order. null = not even then. An estimate: it takes
 * what other tiers free to be within reach, and knows of no quota.
 */
export function startEstimate(state: PoolState, tier: TierState, position: number): number | null {
  const lack = lackOf(state, tier, position + 1);
  if (suffices(lack, 0, [])) return 0;
  const last = state.leases.byExpiry().lastNeeded((count, sums) => suffices(lack, count, sums));
  return last === undefined ? null : Math.max(0, last.expiresAt - state.at);
}

/** What the tier's first `count` waiters lack together. */
function lackOf(state: PoolState, tier: TierState, count: number): Lack {
  const amounts = tier.waiting.sumsOf(count);
  for (const name of state.dimensions) {
    const dimension = state.numbered.find(name);
    if ((amounts[dimension] ?? 0) > 0) amounts[dimension]! -= roomIn(state, tier, name);
  }
  return { amounts, leases: state.leases.size + count - state.config.maxPoolSize };
}

/** Whether the end of so many leases, which hold so much, is enough. */
const suffices = (lack: Lack, count: number, sums: readonly number[]): boolean =>
  count >= lack.leases && lack.amounts.every((amount, dimension) => amount <= (sums[dimension] ?? 0) || amount <= 0);
