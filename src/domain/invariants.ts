import { type Amounts, amountIn } from '../model/amounts.ts';
import type { PoolState } from './state.ts';

/** What is wrong with a state that no history may lead to; empty = nothing. Checked after every event of simulated runs. */
export function checkInvariants(state: PoolState): string[] {
  const wrong: string[] = [];
  const pool = sums(state, () => true);
  same(wrong, 'pool', state.allocated.toJSON(), pool.allocated);
  for (const tier of state.tiers) {
    const held = sums(state, (name) => name === tier.name);
    same(wrong, `tier ${tier.name}`, tier.allocated.toJSON(), held.allocated);
    if (tier.leases !== held.leases)
      wrong.push(`tier ${tier.name}: counts ${tier.leases} leases, holds ${held.leases}`);
    if (tier.mode.admission === 'drained' && tier.leases > 0)
      wrong.push(`tier ${tier.name}: drained with ${tier.leases} leases`);
    for (const [i, waiter] of tier.waiting.entries()) {
      if (i > 0 && tier.waiting[i - 1]!.rank > waiter.rank)
        wrong.push(`tier ${tier.name}: waiters out of order at ${i}`);
      if (state.waiting.get(waiter.leaseId) !== waiter) wrong.push(`waiter ${waiter.leaseId} is not in the index`);
    }
  }
  const named = [...state.leases.values()].map(({ name }) => name).concat(ownNames(state));
  if (state.names.size !== named.filter((name) => name !== null).length)
    wrong.push('names are not those of live leases and waiters');
  for (const [leaseId, lease] of state.leases) {
    if (lease.token > state.lastToken) wrong.push(`lease ${leaseId}: token ${lease.token} was never given`);
    if (state.ended.has(leaseId)) wrong.push(`lease ${leaseId} is both live and ended`);
  }
  return wrong;
}

const ownNames = (state: PoolState): (string | null)[] =>
  [...state.waiting.values()].map(({ leaseId, request }) => (request.id === leaseId ? null : request.id));

function sums(state: PoolState, counts: (tier: string) => boolean): { allocated: Amounts; leases: number } {
  const allocated: Record<string, number> = {};
  let leases = 0;
  for (const lease of state.leases.values()) {
    if (!counts(lease.tier)) continue;
    leases += 1;
    for (const dimension in lease.amounts)
      allocated[dimension] = amountIn(allocated, dimension) + amountIn(lease.amounts, dimension);
  }
  return { allocated, leases };
}

function same(wrong: string[], what: string, counted: Amounts, summed: Amounts): void {
  for (const dimension of new Set([...Object.keys(counted), ...Object.keys(summed)])) {
    const [a, b] = [amountIn(counted, dimension), amountIn(summed, dimension)];
    if (a !== b || a < 0) wrong.push(`${what}: ${dimension} is counted as ${a}, held are ${b}`);
  }
}
