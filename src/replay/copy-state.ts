import { EndedLeases } from '../domain/ended-leases.ts';
import type { PoolState, TierState } from '../domain/state.ts';

/**
 * A state of its own for what is live now: leases, waiting requests, tiers, modes, quarantines, counters. Records that the
 * fold changes in place are copied, the others shared. Ended leases, keys and names in use are left out: they are most of a
 * state's size and nothing that a pool's view shows, and the fold goes on without them.
 */
export function copyPresent(state: PoolState): PoolState {
  return {
    ...state,
    tiers: state.tiers.map(copyTier),
    allocated: state.allocated.copy(),
    quarantined: state.quarantined.copy(),
    leases: state.leases.copy(),
    ended: EndedLeases.from([], state.ended.next),
    waiting: new Map(state.waiting),
    names: new Map(),
    keys: new Map(),
    keysInOrder: new Map(),
    keysFirst: state.keysNext,
    owners: copyValues(state.owners, (held) => held.copy()),
    quarantine: new Map(state.quarantine),
    breakers: new Map(state.breakers),
  };
}

/** About how many records the copy holds: what bounds how many copies are kept. */
export const presentSize = (state: PoolState): number =>
  1 + state.leases.size + state.waiting.size + state.owners.size + state.quarantine.size;

const copyTier = (tier: TierState): TierState => ({
  ...tier,
  allocated: tier.allocated.copy(),
  quarantined: tier.quarantined.copy(),
});

function copyValues<Value>(map: ReadonlyMap<string, Value>, copy: (value: Value) => Value): Map<string, Value> {
  const copied = new Map<string, Value>();
  for (const [key, value] of map) copied.set(key, copy(value));
  return copied;
}
