import type { PoolState } from '../domain/state.ts';
import { poolView } from '../domain/views.ts';
import type { Node } from '../model/interfaces.ts';

/** This pool as a node to route tasks to: what is allocatable, and what of it no lease holds. */
export function localNode(state: PoolState, healthy: boolean): Node {
  const { allocatable, allocated } = poolView(state);
  const names = Object.keys(allocatable);
  return {
    id: state.poolId,
    healthy: healthy && !state.draining,
    labels: { host: state.hostId },
    capacity: allocatable,
    available: Object.fromEntries(
      names.map((name) => [
        name,
        Math.max(0, allocatable[name]! - (allocated[name] ?? 0) - state.quarantined.of(name)),
      ]),
    ),
  };
}
